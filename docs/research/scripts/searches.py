"""Time libraries for search without a gradient: `python docs/research/scripts/searches.py SIZE [NAME …]`

Needs `pip install cma cmaes nevergrad evotorch`. SIZE is the number of elements of a code, kept in [0, 3]. One thread,
75 generations of 40 points, or as many as fit into ten seconds. A row: generations; milliseconds of the processor a
generation, their mean and the longest, in which a covariance is taken apart; the share of the way to the highest point
that the mean score has gone after all 75.
"""

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

GENERATIONS, POPULATION, SECONDS = 75, 40, 10
LOW, HIGH, STEP = 0.0, 3.0, 0.5
Search = Iterator[Any]  # gives points (40, SIZE), takes their scores, which it raises


def cma(size: int, **options: Any) -> Search:
    """`cma`, with a generator of its own."""
    import cma as library

    draw = np.random.default_rng(0)
    own = {"seed": np.nan, "randn": lambda *shape: draw.standard_normal(shape), "verbose": -9, "bounds": [LOW, HIGH]}
    search = library.CMAEvolutionStrategy(np.full(size, 1.5), STEP, {"popsize": POPULATION, **own, **options})
    while True:
        points = search.ask()
        search.tell(points, list(-(yield np.stack(points))))


def cmaes(size: int, kind: str) -> Search:
    """`cmaes`, a point at a time; one draw that leaves the bounds is clipped: its default tries a hundred times."""
    import cmaes as library

    bounds = np.tile([LOW, HIGH], (size, 1))
    search = getattr(library, kind)(
        np.full(size, 1.5), STEP, bounds, seed=0, population_size=POPULATION, n_max_resampling=1
    )
    while True:
        points = [search.ask() for _ in range(POPULATION)]
        search.tell(list(zip(points, -(yield np.stack(points)), strict=True)))


def nevergrad(size: int, kind: str) -> Search:
    """`nevergrad`, a point at a time."""
    import nevergrad as library

    space = library.p.Array(init=np.full(size, 1.5), mutable_sigma=False).set_bounds(LOW, HIGH).set_mutation(sigma=STEP)
    space.random_state = np.random.RandomState(0)
    settings = library.families.ParametrizedCMA(popsize=POPULATION, diagonal=kind == "diagonal")
    search = settings(space, budget=10**6)
    while True:
        points = [search.ask() for _ in range(POPULATION)]
        scores = yield np.stack([point.value for point in points])
        for point, score in zip(points, scores, strict=True):
            search.tell(point, -score)


def evotorch(size: int, **options: Any) -> Search:
    """`evotorch`, which asks for the scores itself; its CMA-ES takes no bounds, so it has none here."""
    import evotorch as library
    from evotorch.algorithms import CMAES

    held: list[Any] = []

    def score(points: torch.Tensor) -> torch.Tensor:
        held.append(points)
        return torch.from_numpy(goal(points.numpy()))

    problem = library.Problem(
        "max", score, solution_length=size, initial_bounds=(LOW, HIGH), vectorized=True, dtype=torch.float64, seed=0
    )
    search = CMAES(problem, stdev_init=STEP, popsize=POPULATION, center_init=torch.full((size,), 1.5), **options)
    while True:
        search.step()
        yield held.pop().numpy()


SEARCHES: dict[str, Callable[[int], Search]] = {
    "cma": lambda size: cma(size),
    "cma, diagonal": lambda size: cma(size, CMA_diagonal=True),
    "cmaes": lambda size: cmaes(size, "CMA"),
    "cmaes, diagonal": lambda size: cmaes(size, "SepCMA"),
    "nevergrad": lambda size: nevergrad(size, "full"),
    "nevergrad, diagonal": lambda size: nevergrad(size, "diagonal"),
    "evotorch": lambda size: evotorch(size),
    "evotorch, diagonal": lambda size: evotorch(size, separable=True),
}


def goal(points: np.ndarray) -> np.ndarray:
    """Minus the squared distance from a point whose elements lie on both sides of the bounds' lower one."""
    best = np.random.default_rng(1).normal(0.5, 0.7, points.shape[1])
    return -np.square(points - best).sum(1)


def main() -> None:
    """A row a search."""
    size = int(sys.argv[1])
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    best = float(goal(np.random.default_rng(1).normal(0.5, 0.7, (1, size)).clip(LOW, HIGH))[0])
    begun = float(goal(np.full((1, size), 1.5))[0])
    for name in sys.argv[2:] or SEARCHES:
        search, took = SEARCHES[name](size), []
        points = next(search)
        while len(took) < GENERATIONS and sum(took) < SECONDS:
            scores, started = goal(points), time.process_time()
            points = search.send(scores)
            took.append(time.process_time() - started)
        there = f"{100 * (goal(points).mean() - begun) / (best - begun):.0f} %" if len(took) == GENERATIONS else "–"
        print(f"| {name} | {len(took)} | {1e3 * np.mean(took):.0f} | {1e3 * max(took):.0f} | {there} |", flush=True)
    print(", ".join(f"{name} {version(name)}" for name in ("cma", "cmaes", "nevergrad", "evotorch", "numpy", "torch")))


if __name__ == "__main__":
    main()
