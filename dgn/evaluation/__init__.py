"""Evaluation of pictures and generators: judge, inversion errors, dataset examples."""
