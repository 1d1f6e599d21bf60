"""Synthesis: maximise a unit's score over G's code by gradient ascent."""
