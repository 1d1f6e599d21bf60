"""Generators: codes in, images out, and the moments of their codes. A new one is one class and one YAML."""
