#!/bin/sh
# cma: making a second CMA-ES, even one that is never used, changes the results of the first, although both are seeded.
#
# Versions: cma 4.5.0, numpy 2.4.6, Python 3.11 or newer; needs python3 and pip.
# Expected: an optimiser with a seed of its own gives the same samples whatever else the program makes.
# Seen:     the seed goes into NumPy's global generator when the object is made, and all objects draw from that one.
#           So two seeded optimisers in one process disturb each other, and the caller's own np.random starts again, too.
#           The option `seed` says that it is for numpy.random, not that other objects are affected.
# Remedy:   options seed=numpy.nan and randn=a function of a generator of its own, as below.
#
#| alone, twice: equal
#| beside another that is never used: different
#| the caller's own random numbers: different
#| with a generator of its own, beside another: equal
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet numpy==2.4.6 cma==4.5.0
"$work/venv/bin/python" -W ignore - <<'PYTHON' | tee "$work/seen"
import cma
import numpy as np


def made(seed, **options):
    return cma.CMAEvolutionStrategy(4 * [1.0], 0.5, {"seed": seed, "verbose": -9, **options})


def apart(seed):
    generator = np.random.default_rng(seed)
    return made(np.nan, randn=lambda *shape: generator.standard_normal(shape))


def samples(search, steps=5):
    drawn = []
    for _ in range(steps):
        points = search.ask()
        search.tell(points, [float(np.sum(np.square(point))) for point in points])
        drawn.append(points)
    return np.array(drawn)


def compare(name, a, b):
    print(f"{name}:", "equal" if np.array_equal(a, b) else "different")


alone = samples(made(1))
compare("alone, twice", alone, samples(made(1)))
first, unused = made(1), made(2)
compare("beside another that is never used", alone, samples(first))
np.random.seed(7)
own = np.random.rand(3)
np.random.seed(7)
made(1)
compare("the caller's own random numbers", own, np.random.rand(3))
alone = samples(apart(1))
first, unused = apart(1), apart(2)
compare("with a generator of its own, beside another", alone, samples(first))
PYTHON
sed -n 's/^#| //p' "$0" | diff - "$work/seen" && echo "as stated"
