"""How good pictures and generators are: a judge, reconstructions, real images."""
