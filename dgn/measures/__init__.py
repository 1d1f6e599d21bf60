"""How good finished pictures are: one measure a file, each number with its n and a 95 % interval."""
