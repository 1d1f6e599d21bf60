"""Balance of D and G: which of them trains in an iteration, by the released rule or by plain alternation."""

import math

from dgn.base.typed import Count, NotNegative


class Released:
    """DeePSiM's rule on unweighted losses, r = (L_real + L_fake) / L_fake-as-real, checked after each iteration.

    In this order (DeePSiM's script): r < low and D training: pause D, G on. r > high and D paused: both on.
    r > top and G training: pause G, D on. A paused G comes back only through r < low, as released.
    """

    def __init__(self, low: NotNegative, high: NotNegative, top: NotNegative) -> None:
        self.low, self.high, self.top = low, high, top
        self.train_d = self.train_g = True
        self.watches = True  # the rule needs D's losses in every iteration

    def step(self, real: float, fake: float, wish: float) -> None:
        """Decide for the next iteration."""
        ratio = (real + fake) / wish if wish else math.inf  # in fp32 the log-loss of a fooled D is 0
        if ratio < self.low and self.train_d:
            self.train_d, self.train_g = False, True
        if ratio > self.high and not self.train_d:
            self.train_d = self.train_g = True
        if ratio > self.top and self.train_g:
            self.train_d, self.train_g = True, False

    def state(self) -> dict[str, int]:
        """Plain state for the checkpoint and the log."""
        return {"train_d": int(self.train_d), "train_g": int(self.train_g)}

    def restore(self, state: dict[str, int]) -> None:
        """Take back what `state` gave."""
        self.train_d, self.train_g = bool(state["train_d"]), bool(state["train_g"])


class Alternate:
    """G in every iteration, D in every `every`-th: what kept D from winning at 64 px."""

    def __init__(self, every: Count) -> None:
        self.every, self.count = every, 0
        self.train_g = True
        self.watches = False

    @property
    def train_d(self) -> bool:
        """Whether this iteration updates D."""
        return self.count % self.every == 0

    def step(self, real: float, fake: float, wish: float) -> None:
        """The losses do not matter here."""
        self.count += 1

    def state(self) -> dict[str, int]:
        """Plain state for the checkpoint and the log."""
        return {"count": self.count}

    def restore(self, state: dict[str, int]) -> None:
        """Take back what `state` gave."""
        self.count = state["count"]
