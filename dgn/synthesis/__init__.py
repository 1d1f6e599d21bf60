"""Climb a unit's score over G's code."""

from dgn.synthesis.module import Synthesis

__all__ = ["Synthesis"]
