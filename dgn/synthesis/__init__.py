"""Climb a unit's score over G's code."""
