"""The live explorer, `dgn app`: choose a unit, watch its picture climb, stop, keep."""
