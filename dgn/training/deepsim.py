"""Train G to invert a layer of E: pixel, feature and adversarial losses under manual optimisation (DeePSiM)."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dgn import images, metrics
from dgn.generators import Generator
from dgn.networks.features import Features
from dgn.training import losses


class Comparator(Protocol):
    """A frozen network whose features are compared, by layer: `Features`, or `Lpips`."""

    def all(self, x: Tensor) -> dict[str, Tensor]:
        """Images (N, 3, H, W) in [0, 1] to activations by layer."""
        ...


class DeepsimTraining(pl.LightningModule):
    """One iteration: E(x), C(x) → G → losses; a step of D on real and fake; D again on the fake; a step of G.

    Args:
        encoder: E, read after the nonlinearity of `code_layer` (its first layer) and of the layers it is measured on.
        comparator: C, read at the layers of the feature loss; the same object as `encoder` shares one forward pass.
        generator, discriminator: G and D; D is given the real image's code for real and generated images.
        pixel, feature, adversarial, code: each {weight, ...}, see conf/loss.
        balance: when D and G train.
        optimiser_g, optimiser_d: partials that take parameters.
        schedule: factor on both learning rates from the share of the run that is done, in [0, 1).
        warm_up: iterations until the feature loss has its full weight and the adversarial one is switched on.
        ema: decay of an average of G's weights, or None.
        share_every: iterations between measurements of each term's gradient at G's output.
    """

    def __init__(
        self,
        *,
        encoder: Features,
        comparator: Comparator,
        generator: Generator,
        discriminator: nn.Module,
        pixel: Mapping[str, Any],
        feature: Mapping[str, Any],
        adversarial: Mapping[str, Any],
        code: Mapping[str, Any],
        balance: Any,
        optimiser_g: Callable,
        optimiser_d: Callable,
        schedule: Callable[[float], float],
        iterations: int,
        warm_up: int,
        ema: float | None,
        share_every: int,
    ) -> None:
        super().__init__()
        self.encoder, self.comparator = encoder, comparator
        self.generator, self.discriminator = generator, discriminator
        self.pixel, self.feature, self.adversarial, self.code = pixel, feature, adversarial, code
        self.balance, self.schedule = balance, schedule
        self.optimiser_g, self.optimiser_d = optimiser_g, optimiser_d
        self.iterations, self.warm_up, self.share_every = iterations, warm_up, share_every
        self.average = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(ema)) if ema else None
        self.code_layer = encoder.layers[0]
        self.iteration = 0
        self.automatic_optimization = False
        self.log_d: dict[str, Tensor] = {}

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [self.optimiser_g(self.generator.parameters()), self.optimiser_d(self.discriminator.parameters())]

    def real(self, x: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The code of real images and what the comparator sees in them, from one pass where both are one network."""
        with torch.no_grad():
            seen = self.encoder.all(x)
            compared = seen if self.comparator is self.encoder else self.comparator.all(x)
        return seen[self.code_layer], compared

    def terms(self, x: Tensor, y: Tensor, code: Tensor, compared: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """G's losses before their weights, by name."""
        fake = self.comparator.all(y)
        found = {
            "pixel": self.pixel["distance"](x, y),
            "feature": losses.features(self.feature["distance"], compared, fake, self.feature["layers"]),
            "adversarial": self.adversarial["kind"].wish(self.discriminator(y, code)),
        }
        if self.code["weight"]:
            again = fake if self.comparator is self.encoder else self.encoder.all(y)
            found["code"] = self.code["distance"](code, again[self.code_layer])
        return found

    def weights(self) -> dict[str, float]:
        """The terms' weights at this iteration."""
        ramp = min(1.0, self.iteration / self.warm_up) if self.warm_up else 1.0
        adversarial = self.adversarial["weight"] if self.iteration >= self.warm_up else 0.0
        return {
            "pixel": self.pixel["weight"],
            "feature": ramp * self.feature["weight"],
            "adversarial": adversarial,
            "code": ramp * self.code["weight"],
        }

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> dict[str, Tensor]:
        x = batch[0]
        optimiser_g, optimiser_d = cast(list, self.optimizers())
        for optimiser in (optimiser_g, optimiser_d):
            for group in optimiser.param_groups:
                group.setdefault("initial_lr", group["lr"])
                group["lr"] = group["initial_lr"] * self.schedule(self.iteration / self.iterations)
        code, compared = self.real(x)
        y = self.generator(code)
        log = self._step_d(x, y.detach(), code, optimiser_d)
        self.discriminator.requires_grad_(False)
        terms, weights = self.terms(x, y, code, compared), self.weights()
        log |= {f"loss/{name}": value.detach() for name, value in terms.items()}
        if (self.iteration + 1) % self.share_every == 0:  # the iteration that is logged
            log |= self._shares(terms, weights, y)
        if self.balance.train_g:
            optimiser_g.zero_grad()
            self.manual_backward(torch.stack([weights[name] * value for name, value in terms.items()]).sum())
            optimiser_g.step()
            if self.average is not None:
                self.average.update_parameters(self.generator)
        self.discriminator.requires_grad_(True)
        self._decide(log)
        self.iteration += 1
        return log | {f"balance/{k}": torch.tensor(float(v)) for k, v in self.balance.state().items()}

    def _step_d(self, x: Tensor, fake: Tensor, code: Tensor, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
        if not (self.balance.train_d or self.balance.watches):
            return dict(self.log_d)
        kind = self.adversarial["kind"]
        real_logits, fake_logits = self.discriminator(torch.cat([x, fake]), torch.cat([code, code])).chunk(2)
        real, generated = kind.real(real_logits), kind.fake(fake_logits)
        if self.balance.train_d:
            optimiser.zero_grad()
            # Adam nearly cancels the weight, but not against weight decay: D's loss carries it, as released
            self.manual_backward(self.adversarial["weight"] * (real + generated))
            optimiser.step()
        self.log_d = {"loss/d_real": real.detach(), "loss/d_fake": generated.detach()}
        return dict(self.log_d)

    def _decide(self, log: Mapping[str, Tensor]) -> None:
        if not self.balance.watches:
            self.balance.step(0.0, 0.0, 0.0)
            return
        three = torch.stack([log["loss/d_real"], log["loss/d_fake"], log["loss/adversarial"]])
        self.balance.step(*self.trainer.strategy.reduce(three, reduce_op="mean").tolist())

    def _shares(self, terms: Mapping[str, Tensor], weights: Mapping[str, float], y: Tensor) -> dict[str, Tensor]:
        """Each weighted term's share of the summed gradient norms at G's output: what weights are chosen by."""
        norms = {
            name: abs(weights[name]) * torch.autograd.grad(value, y, retain_graph=True)[0].float().norm()
            for name, value in terms.items()
        }
        total = sum(norms.values())
        return {f"share/{name}": norm / total for name, norm in norms.items()}

    def best(self) -> Generator:
        """The G that is measured, drawn and kept: the average where there is one."""
        return self.generator if self.average is None else cast(Generator, self.average.module)

    def evaluate(self, batches: Iterable[tuple[Tensor, ...]]) -> dict[str, float]:
        """Inversion errors on held-out images, in pixels and at every layer that E is read at."""
        real: dict[str, list[Tensor]] = {}
        fake: dict[str, list[Tensor]] = {}
        for x, *_ in batches:
            seen = self.encoder.all(x)
            y = self.best()(seen[self.code_layer])
            again = self.encoder.all(y)
            for store, found in ((real, seen | {"pixels": x}), (fake, again | {"pixels": y})):
                for name, value in found.items():
                    store.setdefault(name, []).append(value.flatten(1).cpu())
        summary = {}
        for name in real:
            x, y = torch.cat(real[name]), torch.cat(fake[name])
            summary[f"inversion/{name}"] = metrics.inversion_error(x, y)
            summary[f"unexplained/{name}"] = metrics.unexplained(x, y)
        return summary

    def picture(self, x: Tensor) -> Tensor:
        """Fixed held-out images (at most 32) and their reconstructions, pair by pair."""
        y = self.best()(self.encoder(x[:32])).clamp(0, 1)
        return images.grid(torch.stack([x[:32], y], 1).flatten(0, 1), columns=8)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        frozen = ("encoder.", "comparator.")
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {k: v for k, v in state.items() if not k.startswith(frozen)}
        checkpoint |= {"iteration": self.iteration, "balance": self.balance.state()}

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.iteration = checkpoint["iteration"]
        self.balance.restore(checkpoint["balance"])
        own = self.state_dict()
        frozen = {k: v for k, v in own.items() if k.startswith(("encoder.", "comparator."))}
        checkpoint["state_dict"] |= frozen


def adam(lr: float, betas: tuple[float, float], weight_decay: float) -> Callable:
    """Adam with L2 in the gradient, as Caffe has it; fused."""
    return partial(torch.optim.Adam, lr=lr, betas=(betas[0], betas[1]), weight_decay=weight_decay, fused=True)
