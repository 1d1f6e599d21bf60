"""Generators (codes to images), moments of their codes, and bundles. To add one: one class and one YAML."""
