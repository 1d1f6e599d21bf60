"""The explorer, `dgn app`: choose a unit, watch its picture form, stop, keep."""
