"""Train G to invert a layer of E: pixel, feature and adversarial losses under manual optimisation (DeePSiM)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol, cast

import pytorch_lightning as pl
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dgn.base.errors import UserError
from dgn.base.typed import Count, Positive, Share
from dgn.evaluation import inversion
from dgn.generators.base import Generator
from dgn.networks.features import Features
from dgn.training import losses
from dgn.training.code_cache import Kept
from dgn.training.optimisers import adopt

FROZEN = ("encoder.", "comparator.", "observer.")  # what a checkpoint leaves out
Real = tuple[Tensor, Tensor, Mapping[str, Tensor]]  # images, their codes, their features in the comparator


class Comparator(Protocol):
    """A frozen network whose features are compared, by layer: `Features`, or `Lpips`."""

    def all(self, x: Tensor) -> dict[str, Tensor]:
        """Images (N, 3, H, W) in [0, 1] to activations by layer."""
        ...


class DeepsimTraining(pl.LightningModule):
    """One iteration: E(x), C(x) → G → losses; a step of D on real and fake; D again on the fake; a step of G.

    Args:
        encoder: E, read after the nonlinearity of `code_layer` (its first layer) and of the evaluated layers.
        observer: read at one layer, when G is evaluated; None: not measured.
        comparator: C, read at the layers of the feature loss. If it is `encoder`, one forward pass serves both.
        kept: cached codes of the training images by index; None: E runs in every iteration.
        begun: provenance for the bundle's record: the weights of E and C, and what `warm_start` returns.
        generator, discriminator: G and D. D gets the real image's code with real and generated images.
        pixel, feature, adversarial, code: each {weight, ...}, see conf/loss.
        balance: when D and G train.
        optimiser_g, optimiser_d: partials that take parameter groups.
        schedule: from the finished share of the run, in [0, 1), to the factor on both learning rates.
        own_clocks: whether that share counts each player's updates, as Caffe's solvers do, or iterations.
        iterations: of the whole run.
        pixels_first: iterations at the beginning in which G learns from the pixel loss alone; neither C nor D runs.
        warm_up: iterations after them until the feature loss has full weight and the adversarial one is switched on.
        ema: decay of an exponential moving average of G's weights, or None.
        export_weights: "raw" or "ema": the weights that are evaluated first, drawn, and written to the bundle.
        accumulate: parts that a batch is split into for gradient accumulation.
        clip: largest norm of the gradient of G and of D, or None.
        share_every: iterations between measurements of each term's gradient at G's output.
    """

    def __init__(
        self,
        *,
        encoder: Features,
        comparator: Comparator,
        observer: Features | None = None,
        kept: Kept | None,
        begun: Mapping[str, Any],
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
        own_clocks: bool,
        iterations: Count,
        pixels_first: Annotated[int, Field(ge=0)],
        warm_up: Annotated[int, Field(ge=0)],
        ema: Share | None,
        export_weights: Literal["raw", "ema"],
        accumulate: Count,
        clip: Positive | None,
        share_every: Count,
    ) -> None:
        super().__init__()
        if export_weights == "ema" and not ema:
            raise UserError("module.export_weights=ema needs an average: set module.ema=0.999 as well, or "
                            "module.export_weights=raw")  # fmt: skip
        self.encoder, self.comparator, self.observer = encoder, comparator, observer
        self.kept, self.begun = kept, begun
        self.generator, self.discriminator = generator, discriminator
        self.pixel, self.feature, self.adversarial, self.code = pixel, feature, adversarial, code
        self.balance, self.schedule, self.own_clocks = balance, schedule, own_clocks
        self.optimiser_g, self.optimiser_d = optimiser_g, optimiser_d
        self.iterations, self.share_every = iterations, share_every
        self.pixels_first, self.warm_up = pixels_first, warm_up
        self.accumulate, self.clip, self.export_weights = accumulate, clip, export_weights
        # Batch norm's running statistics are G's own: they are averages already. Averaged once more, as timm's
        # ModelEmaV3 does, they lag: an error of fc6 of 96.0 instead of 93.8 % after 120 small iterations.
        self.average = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(ema)) if ema else None
        self.code_layer = encoder.layers[0]
        self.iteration = self.images = 0
        self.updates = {"g": 0, "d": 0}
        self.automatic_optimization = False
        self.log_d: dict[str, Tensor] = {}

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        stem = {id(weight) for weight in self.generator.stem()}
        rest = [p for p in self.generator.parameters() if id(p) not in stem]
        groups: list[dict[str, Any]] = [{"params": self.generator.stem()}] if stem else []
        groups.append({"params": rest, "weight_decay": 0.0})
        optimisers = [self.optimiser_g(groups), self.optimiser_d(self.discriminator.parameters())]
        self.rates = [optimiser.defaults["lr"] for optimiser in optimisers]
        return optimisers

    @property
    def alone(self) -> bool:
        """Whether this iteration has the pixel loss alone."""
        return self.iteration < self.pixels_first

    def real(self, x: Tensor, index: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The codes of real images and their features in C, none while `alone`; one pass if both are one network."""
        with torch.no_grad():
            if self.alone:
                return self.encoder(x) if self.kept is None else self.kept(index), {}
            if self.kept is not None:
                return self.kept(index), self.comparator.all(x)
            seen = self.encoder.all(x)
            compared = seen if self.comparator is self.encoder else self.comparator.all(x)
        return seen[self.code_layer], compared

    def terms(self, x: Tensor, y: Tensor, code: Tensor, compared: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """G's losses before their weights, by name."""
        pixel = {"pixel": self.pixel["distance"](x, y)}
        if self.alone:
            return pixel
        fake = self.comparator.all(y)
        terms = pixel | {
            "feature": losses.features(self.feature["distance"], compared, fake, self.feature["layers"]),
            "adversarial": self.adversarial["kind"].wish(self.discriminator(y, code)),
        }
        if self.code["weight"]:
            again = fake if self.comparator is self.encoder else self.encoder.all(y)
            terms["code"] = self.code["distance"](code, again[self.code_layer])
        return terms

    def weights(self) -> dict[str, float]:
        """The terms' weights at this iteration."""
        done = max(0, self.iteration - self.pixels_first)
        ramp = min(1.0, done / self.warm_up) if self.warm_up else 1.0
        adversarial = self.adversarial["weight"] if done >= self.warm_up else 0.0
        return {
            "pixel": self.pixel["weight"],
            "feature": ramp * self.feature["weight"],
            "adversarial": adversarial,
            "code": ramp * self.code["weight"],
        }

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> dict[str, Tensor]:
        optimiser_g, optimiser_d = self._at_rate()
        parts = zip(batch[0].chunk(self.accumulate), batch[2].chunk(self.accumulate), strict=True)
        reals = [(x, *self.real(x, index)) for x, index in parts]
        whole = self.generator(reals[0][1]) if len(reals) == 1 else None
        log = {"code/rms": torch.stack([code.square().mean() for _, code, _ in reals]).mean().sqrt()}
        log |= self._step_d(reals, whole, optimiser_d)
        log |= self._step_g(reals, whole, optimiser_g)
        if not self.alone:
            self._decide(log)
        self.iteration += 1
        return log | {f"balance/{k}": torch.tensor(float(v)) for k, v in self.balance.state().items()}

    def _at_rate(self) -> list[Any]:
        """G's and D's optimizers with their learning rates of this iteration."""
        optimisers = cast(list, self.optimizers())
        for optimiser, rate, updates in zip(optimisers, self.rates, self.updates.values(), strict=True):
            done = updates if self.own_clocks else self.iteration
            for group in optimiser.param_groups:
                group["lr"] = rate * self.schedule(done / self.iterations)
        return optimisers

    @torch.no_grad()
    def _draft(self, code: Tensor) -> Tensor:
        """G's images for the step of D, without a graph: of several parts only one at a time may keep G's graph.

        The running averages of G's batch norm stay; the step of G updates them.
        """
        averages = {name: value.clone() for name, value in self.generator.named_buffers()}
        drawn = torch.func.functional_call(self.generator, averages, code)
        torch.clear_autocast_cache()  # it would hand G's own step these weights, cast without a graph
        return drawn

    def _step_d(self, reals: Sequence[Real], whole: Tensor | None, optimiser: Any) -> dict[str, Tensor]:
        trains = self.balance.train_d
        if self.alone or not (trains or self.balance.watches):
            return dict(self.log_d)
        kind, logs = self.adversarial["kind"], []
        for x, code, _ in reals:
            fake = self._draft(code) if whole is None else whole
            with torch.set_grad_enabled(trains):
                logits = self.discriminator(torch.cat([x, fake.detach()]), torch.cat([code, code])).chunk(2)
                real, generated = kind.real(logits[0]), kind.fake(logits[1])
            if trains:
                # Adam nearly cancels the weight, but not against weight decay: D's loss carries it, as released
                self.manual_backward(self.adversarial["weight"] * (real + generated) / len(reals))
            logs.append({"loss/d_real": real.detach(), "loss/d_fake": generated.detach()})
        if trains:
            self._update("d", optimiser)
        self.log_d = losses.mean(logs)
        return dict(self.log_d)

    def _step_g(self, reals: Sequence[Real], whole: Tensor | None, optimiser: Any) -> dict[str, Tensor]:
        self.discriminator.requires_grad_(False)
        weights, logs = self.weights(), []
        for x, code, compared in reals:
            y = self.generator(code) if whole is None else whole
            terms = self.terms(x, y, code, compared)
            log = {f"loss/{name}": value.detach() for name, value in terms.items()}
            if (self.iteration + 1) % self.share_every == 0:  # the iteration that is logged
                log |= self._shares(terms, weights, y)
            if self.balance.train_g or self.alone:
                total = torch.stack([weights[name] * value for name, value in terms.items()]).sum()
                self.manual_backward(total / len(reals))
            logs.append(log)
        if self.balance.train_g or self.alone:
            self._update("g", optimiser)
            if self.average is not None:
                self.average.update_parameters(self.generator)
        self.discriminator.requires_grad_(True)
        return losses.mean(logs)

    def _update(self, player: str, optimiser: Any) -> None:
        """An optimiser step with the accumulated gradients."""
        if self.clip:
            # not Lightning's clip_gradients, which refuses fused optimisers in mixed precision
            scaler = getattr(self.trainer.precision_plugin, "scaler", None)  # under 16-mixed
            # the gradients are still times its scale: a fused optimiser undoes that in its step
            most = self.clip * (1.0 if scaler is None else scaler.get_scale())
            nn.utils.clip_grad_norm_([p for group in optimiser.param_groups for p in group["params"]], most)
        optimiser.step()
        optimiser.zero_grad()
        self.updates[player] += 1

    def _decide(self, log: Mapping[str, Tensor]) -> None:
        if not self.balance.watches:
            self.balance.step(0.0, 0.0, 0.0)
            return
        three = torch.stack([log["loss/d_real"], log["loss/d_fake"], log["loss/adversarial"]])
        self.balance.step(*self.trainer.strategy.reduce(three, reduce_op="mean").tolist())  # all ranks decide alike

    def _shares(self, terms: Mapping[str, Tensor], weights: Mapping[str, float], y: Tensor) -> dict[str, Tensor]:
        """Each weighted term's share of the summed gradient norms at G's output; it helps to choose the weights."""
        norms = {
            name: abs(weights[name]) * torch.autograd.grad(value, y, retain_graph=True)[0].float().norm()
            for name, value in terms.items()
        }
        total = sum(norms.values())
        return {f"share/{name}": norm / total for name, norm in norms.items()}

    def best(self) -> Generator:
        """The G that is drawn and exported, by `export_weights`."""
        averaged = self.average is not None and self.export_weights == "ema"
        return cast(Generator, self.average.module) if averaged else self.generator  # type: ignore[union-attr]

    def evaluate(self, batches: Iterable[tuple[Tensor, ...]]) -> dict[str, float]:
        """Inversion errors on held-out images; those of the G that is not exported have the prefix raw/ or ema/."""
        candidates: dict[str, nn.Module] = {"": self.best()}
        if self.average is not None:
            other = "raw" if self.export_weights == "ema" else "ema"
            candidates[f"{other}/"] = self.generator if other == "raw" else self.average.module
        return inversion.errors(self.encoder, candidates, batches, self.observer)

    def picture(self, x: Tensor) -> Tensor:
        """Fixed held-out images and their reconstructions, pair by pair."""
        return inversion.picture(self.encoder, self.best(), x)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        frozen = FROZEN
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {k: v for k, v in state.items() if not k.startswith(frozen)}
        checkpoint |= {"iteration": self.iteration, "images": self.images, "updates": dict(self.updates),
                       "balance": self.balance.state(), "log_d": dict(self.log_d), "begun": dict(self.begun),
                       "code_scale": self.generator.args.get("code_scale"), "alone": self.alone}  # fmt: skip

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.iteration, self.images = checkpoint["iteration"], checkpoint["images"]
        if not checkpoint.get("alone", False):  # a longer run, for which `auto` is more, does not go back to pixels
            self.pixels_first = min(self.pixels_first, self.iteration)
        self.updates = dict(checkpoint["updates"])
        self.log_d = {name: value.to(self.device) for name, value in checkpoint["log_d"].items()}
        self.balance.restore(checkpoint["balance"])
        self.begun = {**self.begun, **checkpoint["begun"]}
        adopt(self.configure_optimizers(), checkpoint["optimizer_states"])
        for g in [self.generator] if self.average is None else [self.generator, cast(Generator, self.average.module)]:
            g.args["code_scale"] = g.code_scale = checkpoint["code_scale"]
        state = self.state_dict()
        frozen = {k: v for k, v in state.items() if k.startswith(FROZEN)}
        checkpoint["state_dict"] |= frozen
