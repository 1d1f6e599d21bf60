"""Search without a gradient: codes are drawn around a centre, which moves to those of the highest scores.

To add your own, write one subclass of `Sampler`, and name it by `ascent.optimiser` in a YAML in your own folder
`ascent/`.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from dgn.base.errors import UserError
from dgn.base.typed import Positive
from dgn.synthesis.priors import Ellipsoid, Prior

STREAM = 3  # the second word of the generator's seed; transforms and PPGN take others
Population = Annotated[int, Field(ge=4)]
Limit = Callable[[Tensor], Tensor]


class Sampler(ABC):
    """The search of one unit: gives the codes of a generation, and takes their scores.

    Args:
        code: (*code_shape) where it begins.
        seed: of its draws. Equal seeds and equal scores give equal codes, whatever else is drawn in the process.
        limit: codes (N, *code_shape) to the same in the prior's range.
        population: codes a generation.
    """

    def __init__(self, code: Tensor, seed: int, limit: Limit, population: Population) -> None:
        self.shape, self.limit, self.population = code.shape, limit, population
        self.random = np.random.default_rng((seed, STREAM))

    @staticmethod
    def describe(**settings: Any) -> str:
        """How it searches, for the page, from the settings of its YAML."""
        return f"a search without a gradient, {settings['population']} pictures a generation,"

    @property
    @abstractmethod
    def centre(self) -> Tensor:
        """The code around which the next generation is drawn, in the range, fp32."""

    @property
    def fewest(self) -> int:
        """How many scores of a generation it needs to go on."""
        return (self.population + 1) // 2

    @abstractmethod
    def ask(self, step: float) -> Tensor:
        """A generation (population, *code_shape), fp32, in the range, for a step of this size around the centre."""

    @abstractmethod
    def tell(self, codes: Tensor, scores: Tensor) -> None:
        """Move towards the codes with the highest scores.

        Args:
            codes: (n, *code_shape) those of the generation that have a score, `fewest` or more.
            scores: (n,) finite.
        """


class Cma(Sampler):
    """CMA-ES (Hansen & Ostermeier 2001) of the library `cma`, with the step size that the ascent sets.

    The library's own rule for the step size is not used: on codes of such generators the decay of the step matters more
    than the covariance (Wang & Ponce 2022, High-performance evolutionary algorithms for online neuron control). What
    was pulled into the range is given back to it as an injected point (Hansen 2011), so the centre stays in a convex
    range.

    Args:
        code, seed, limit, population: see `Sampler`; a step is the standard deviation of an element.
        covariance: that is learned: "full", "diagonal" (Ros & Hansen 2008), which takes time linear in the code's size,
            or "none": draws stay round.

    Raises UserError if the library is not installed.
    """

    def __init__(
        self,
        code: Tensor,
        seed: int,
        limit: Limit,
        *,
        population: Population,
        covariance: Literal["full", "diagonal", "none"],
    ) -> None:
        super().__init__(code, seed, limit, population)
        try:
            import cma
        except ModuleNotFoundError:
            raise UserError("ascent=cma needs the package cma: install it by pip install 'dgn[search]'") from None
        options = {
            "popsize": population,
            "CMA_diagonal": covariance != "full",
            "CMA_on": covariance != "none",
            # with a seed of its own the library would draw from NumPy's global generator, see findings/cma_seeds.sh
            "seed": np.nan,
            "randn": lambda *shape: self.random.standard_normal(shape),
            "verbose": -9,
        }
        self.search = cma.CMAEvolutionStrategy(code.flatten().double().numpy(), 1.0, options)

    @staticmethod
    def describe(**settings: Any) -> str:
        kind = {"none": "no covariance"}.get(settings["covariance"], f"a {settings['covariance']} covariance")
        return f"a search without a gradient (CMA-ES with {kind}, {settings['population']} pictures a generation)"

    @property
    def centre(self) -> Tensor:
        return self.limit(torch.from_numpy(self.search.mean).float().view(1, *self.shape))[0]

    def ask(self, step: float) -> Tensor:
        self.search.sigma = step
        return self.limit(torch.from_numpy(np.stack(self.search.ask())).float().view(-1, *self.shape))

    def tell(self, codes: Tensor, scores: Tensor) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # that a generation is smaller than the population: pictures may lack a score
            self.search.tell(list(codes.flatten(1).double().numpy()), (-scores.double()).tolist())


class Pairs(Sampler):
    """The gradient, estimated from pairs of opposite draws (Salimans et al. 2017), with momentum and a step's size set.

    With cᵢ = centre ± ε, ε ~ N(0, spread²), and the scores sᵢ: g = Σ (sᵢ − s̄) · (cᵢ − c̄), v ← momentum · v + g,
    centre ← centre + step · v / rms(v). Momentum joins what many generations have seen of a gradient with more
    elements than a generation has pictures.

    Args:
        code, seed, limit, population: see `Sampler`; a step is the root mean square of the centre's move over its
            elements. An odd population has one draw without its opposite.
        momentum: in [0, 1).
        spread: standard deviation of an element's draw, in steps of the first generation.
    """

    def __init__(
        self,
        code: Tensor,
        seed: int,
        limit: Limit,
        *,
        population: Population,
        momentum: Annotated[float, Field(ge=0, lt=1)],
        spread: Positive,
    ) -> None:
        super().__init__(code, seed, limit, population)
        self.momentum, self.spread, self.first = momentum, spread, 0.0
        self.middle, self.velocity, self.step = self.limit(code.float()[None])[0], torch.zeros(code.shape).double(), 0.0

    @staticmethod
    def describe(**settings: Any) -> str:
        return (f"a search without a gradient, which was estimated from pairs of opposite codes "
                f"({settings['population']} pictures a generation),")  # fmt: skip

    @property
    def centre(self) -> Tensor:
        return self.middle

    def ask(self, step: float) -> Tensor:
        self.step, self.first = step, self.first or step
        half = self.random.standard_normal(((self.population + 1) // 2, *self.shape))
        draws = torch.from_numpy(np.concatenate([half, -half])[: self.population]).float()
        return self.limit(self.middle + self.spread * self.first * draws)

    def tell(self, codes: Tensor, scores: Tensor) -> None:
        codes, scores = codes.double(), scores.double()
        weights = (scores - scores.mean()).view(-1, *[1] * (codes.ndim - 1))
        self.velocity = self.momentum * self.velocity + (weights * (codes - codes.mean(0))).mean(0)
        size = self.velocity.square().mean().sqrt().clamp_min(torch.finfo(torch.float64).tiny)
        self.middle = self.limit((self.middle + self.step * self.velocity / size).float()[None])[0]


def sampler(optimiser: Any) -> type[Sampler] | None:
    """The class of search that an ascent's `optimiser`, a partial, makes; None where it climbs by a gradient."""
    made = getattr(optimiser, "func", None)
    return made if isinstance(made, type) and issubclass(made, Sampler) else None


def check(optimiser: Any, prior: Prior, code: Tensor) -> None:
    """UserError where a search cannot be made, or the prior needs a gradient; for other optimisers nothing.

    Args:
        code: one initial code, (*code_shape).
    """
    if sampler(optimiser) is None:
        return
    optimiser(code, 0, prior.apply_to)
    directs = type(prior).uphill not in {Prior.uphill, Ellipsoid.uphill}
    if directs or type(prior).after is not Prior.after:
        raise UserError("this prior acts on a gradient, and a search has none: set prior=ellipsoid or prior=box")
