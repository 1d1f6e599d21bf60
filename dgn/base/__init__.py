"""Foundations shared by all packages: errors, files, images, precision. Imports no other package of dgn."""
