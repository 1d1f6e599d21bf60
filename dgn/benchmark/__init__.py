"""Benchmarks on this machine: `dgn benchmark` prints the tables of docs/benchmarks.md."""

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}  # of the tables, as Lightning has them
