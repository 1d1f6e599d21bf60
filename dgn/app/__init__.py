"""The live explorer, `python -m dgn.app`: choose a unit, watch its picture climb, stop, keep."""
