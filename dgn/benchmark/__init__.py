"""How fast it is on this machine: `python -m dgn.benchmark` prints the tables of docs/benchmarks.md."""
