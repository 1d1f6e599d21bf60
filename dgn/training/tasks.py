"""The tasks of `train.py`: from the config to a weights file, a bundle or measured errors."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from dgn import data, loggers, settings
from dgn.base import images, lightning, precision
from dgn.base.errors import Stopped, UserError, first_line
from dgn.base.files import write_text
from dgn.base.instantiate import instantiate
from dgn.base.ranks import first
from dgn.base.typed import arguments
from dgn.data.settings import AugmentSettings, DataSettings
from dgn.evaluation import inversion, judge
from dgn.generators import bundle, inverted, kinds, lookup
from dgn.generators.base import Generator
from dgn.networks import class_names, zoo
from dgn.networks.features import Features
from dgn.networks.outputs import parts
from dgn.networks.settings import NetworkSettings
from dgn.networks.validate import check_arithmetic, noise
from dgn.training import export
from dgn.training.callbacks import CHECKPOINT, Keeper
from dgn.training.code_cache import Kept, keep
from dgn.training.deepsim import Comparator, DeepsimTraining
from dgn.training.discriminator import Discriminator
from dgn.training.settings import TrainSettings
from dgn.training.warm_start import warm_start

READ = ("encoder", "comparator")  # frozen networks, whose weights must stay those that a run began with


def run(config: TrainSettings, output: Path) -> Path:
    """Train what `config.task` names, in `output`; the file that holds the result."""
    pl.seed_everything(config.seed, verbose=False)
    config = config.model_copy(update={"trainer": lightning.decided(config.trainer)})
    plain = config.plain()
    tasks = {"generator": train_generator, "classifier": train_classifier, "inversion": measure_inversion}
    with loggers.observe(config, output) as logs:
        return tasks[plain["task"]](plain, output, logs)


of = NetworkSettings.model_validate


def build_data(config: Mapping[str, Any]) -> data.DataModule:
    """The images of a task's config."""
    images, augment = DataSettings.model_validate(config["data"]), AugmentSettings.model_validate(config["augment"])
    return data.build(images, augment, config["seed"])


def check_devices(settings: Mapping[str, Any]) -> None:
    """UserError for an impossible trainer, or for several devices without trainer=ddp."""
    several = lightning.trainer(settings, [], []).world_size > 1
    if several and settings.get("use_distributed_sampler", True):
        raise UserError("training on several devices needs trainer=ddp: set trainer=ddp and trainer.devices=2")


def train_classifier(config: dict[str, Any], output: Path, logs: list[loggers.Log]) -> Path:
    """Train a classifier and write its weights as fp16 safetensors with the class names inside."""
    check_devices(config["trainer"])
    datamodule = build_data(config)
    node = config["classifier"]
    if len(datamodule.classes) < 2:
        raise UserError(f"{datamodule.classes[0]} is the only class, and a classifier needs two or more: set data.root "
                        "to a folder with one folder of images per class")  # fmt: skip
    node["args"] = (node.get("args") or {}) | {"classes": len(datamodule.classes)}
    module = instantiate(config["module"], _partial_=True)(
        network=zoo.module(of(node)), contract=zoo.contract(of(node)), classes=datamodule.classes
    )
    network = deepcopy(module.network)  # a pass in training moves its statistics
    check_arithmetic(network, lambda x: parts(network(module.arranged(x))).values(), noise(module.contract),
                     config["trainer"]["precision"], "classifier")  # fmt: skip
    fit(module, datamodule, config, output, logs)
    path = output / f"{node['name']}.safetensors"
    if first():
        module.write(path)
        for log in logs:
            log.artifact(path, "weights")
        print(f"weights: {path}")
    return path


def train_generator(config: dict[str, Any], output: Path, logs: list[loggers.Log]) -> Path:
    """Train G for `encoder.layer` and write the bundle: G, moments of its code, some codes, where all came from."""
    check_devices(config["trainer"])
    datamodule = build_data(config)
    batch, parts = config["data"]["batch_size"], config["module"]["accumulate"]
    if batch % parts or batch // parts < 2:
        raise UserError(f"cannot split a batch of {batch} into {parts} equal parts of two or more images: set another "
                        "module.accumulate or data.batch_size")  # fmt: skip
    for part in ("generator", "discriminator"):
        if config[part].get("size", config["data"]["crop"]) != config["data"]["crop"]:
            raise UserError(f"{part}.size={config[part]['size']} differs from data.crop={config['data']['crop']}: "
                            f"leave {part}.size out, it follows data.crop")  # fmt: skip
    loss = instantiate(config["loss"])
    encoder, comparator = encoder_and_comparator(config, loss["feature"])
    some = next(datamodule.plain(128), None)
    if some is None:
        raise UserError("cannot read any of 128 training images spread over the data set: repair them, or set another "
                        "data.root")  # fmt: skip
    for role, read in (("encoder", encoder), ("comparator", comparator)):
        if isinstance(read, Features):
            check_arithmetic(read, values_of(read), noise(read.contract), config["trainer"]["precision"], role)
    code = encoder(some[0])
    kept = keep(encoder, datamodule, config) if config["code_cache"] else None
    generator = build_generator(config["generator"], code)
    begins = config["init"] and not checkpoint(config, output)
    begun = {f"{role}_sha256": zoo.identity(of(config[role])) for role in READ}
    begun["encoder_sha256"] = inverted.identity(of(config["encoder"]))
    begun |= warm_start(generator, config, datamodule, encoder, kept) if begins else {}
    module = assembled(config, loss, encoder, comparator, generator, kept, begun)
    print(f"code {generator.code_shape} of {config['encoder']['name']} {encoder.layers[0]}; image {generator.size} px; "
          f"G {count(generator):.1f} M, D {count(module.discriminator):.1f} M parameters")  # fmt: skip
    with precision.prepared(*(part for part in (encoder, comparator) if isinstance(part, torch.nn.Module))):
        fit(module, datamodule, config, output, logs)
    return export.write(module, datamodule, config, output)


def values_of(read: Features) -> Callable[[torch.Tensor], Iterable[torch.Tensor]]:
    """Images to the activations of all layers."""
    return lambda x: read.all(x).values()


def assembled(
    config: Mapping[str, Any],
    loss: Mapping[str, Any],
    encoder: Features,
    comparator: Comparator,
    generator: Generator,
    kept: Kept | None,
    begun: Mapping[str, Any],
) -> DeepsimTraining:
    """G's training as the config has it, with a new D."""
    discriminator = Discriminator(
        code_shape=generator.code_shape, outputs=loss["adversarial"]["kind"].outputs, **config["discriminator"]
    )
    return instantiate(config["module"], _partial_=True)(
        encoder=encoder, comparator=comparator, kept=kept, begun=begun,
        generator=generator, discriminator=discriminator,
        **{name: loss[name] for name in ("pixel", "feature", "adversarial", "code", "balance")},
    )  # fmt: skip


def measure_inversion(config: dict[str, Any], output: Path, logs: list[loggers.Log]) -> Path:
    """Measure a bundle on the held-out images of `data`: `errors.csv` and `reconstructions.png`."""
    datamodule = build_data(config)
    held = bundle.load(lookup.find(config["bundle"]), kinds.named(config["generator"]["kind"]))
    node = config["encoder"] | {"layer": config["encoder"]["layer"] or layer_of(held)}
    inverted.same_encoder(held, of(node), "encoder")
    size = held.generator.size
    if config["data"]["crop"] != size:
        raise UserError(f"this bundle makes images of {size} px: set data.resize={size} data.crop={size}")
    encoder = zoo.features(
        of(node), list(dict.fromkeys([node["layer"], *config["eval_layers"]])), activated=True, role="encoder"
    )
    judges = load_judges(config, node, class_names.readable(datamodule.classes))
    settings.write(config, output, "train")
    with torch.no_grad():
        errors = inversion.errors(encoder, {"": held.generator}, datamodule.val_dataloader())
        if judges:
            held_out, classes = datamodule.val_dataloader(), class_names.readable(datamodule.classes)
            errors |= inversion.named(judges, encoder, held.generator, held_out, classes)
        picture = inversion.picture(encoder, held.generator, datamodule.examples(inversion.SHOWN))
    images.save(output / "reconstructions.png", picture)
    write_text(output / "errors.csv", "error,value\n" + "".join(f"{k},{v:.6g}\n" for k, v in errors.items()))
    for name, value in errors.items():
        print(f"{name:<32}{value:.4g}")
    print(f"pictures: {output / 'reconstructions.png'}")
    return output / "errors.csv"


def layer_of(held: bundle.Bundle) -> str:
    """The layer whose codes a bundle's G inverts; UserError if the bundle does not record it."""
    if not held.record.get("layer"):
        raise UserError("this bundle does not record the layer that it inverts: set encoder.layer=NAME")
    return held.record["layer"]


def load_judges(config: dict[str, Any], encoder: dict[str, Any], classes: list[str]) -> dict[str, judge.Judge]:
    """The judge, where the config names one, and beside it the encoder, where its outputs have names.

    UserError if the judge knows no class of the data.
    """
    if not config.get("judge"):
        return {}
    found = judge.load(of(config["judge"]), {"the encoder": zoo.identity(of(encoder))})
    known = sum(map(found.knows, classes))
    if not known:
        raise UserError(f"the judge {found.name} shares no class with the data ({', '.join(classes[:3])}, …): "
                        "set network@judge=ANOTHER")  # fmt: skip
    print(f"judge: {found.name} knows {known} of {len(classes)} classes")
    own = judge.named(of(encoder), "encoder")
    return {"judge": found} | ({"encoder": own} if own and any(map(own.knows, classes)) else {})


def encoder_and_comparator(config: dict[str, Any], feature: Mapping[str, Any]) -> tuple[Features, Comparator]:
    """E and C; where both are one network it is read once, at the layers of both.

    C is the comparator's network, or the one that the feature term brings along (LPIPS).
    """
    encoder, comparator = config["encoder"], config["comparator"]
    own = feature.get("network")
    layers = [layer for layer, weight in feature["layers"].items() if weight]
    if not layers:
        raise UserError(
            "all loss.feature.layers have weight 0: set one above 0; to switch the term off, set loss.feature.weight=0"
        )
    same = own is None and all(
        encoder.get(key) == comparator.get(key) for key in ("_target_", "args", "weights", "input")
    )
    wanted = [encoder["layer"], *config["eval_layers"], *(layers if same else [])]
    read = zoo.features(of(encoder), list(dict.fromkeys(wanted)), activated=True, role="encoder")
    return read, own or (read if same else zoo.features(of(comparator), layers, activated=True, role="comparator"))


def build_generator(config: Mapping[str, Any], code: torch.Tensor) -> Generator:
    """A new G for codes like `code`, of the class that `generator.kind` names, with the other settings of the group.

    UserError for settings that this class does not take, and for a G that could not be written to a bundle.
    """
    settings = dict(config)
    cls = kinds.named(settings.pop("kind", None))
    if cls is None:
        raise UserError("training needs generator.kind: set generator=small or generator=deepsim, or "
                        f"generator.kind={' or '.join(kinds.KINDS)} or the import path of your own class")  # fmt: skip
    try:
        taken = arguments(cls.for_codes, settings, "generator.", filled=("codes",))
        generator = cls.for_codes(code, **taken)
        arguments(cls, json.loads(json.dumps(generator.args)), f"{cls.__name__}.args.")
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f"cannot build the generator {kinds.kind_of(cls)} ({first_line(error)})") from None
    return generator


def count(module: torch.nn.Module) -> float:
    """Millions of trained parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad) / 1e6


def checkpoint(config: Mapping[str, Any], output: Path) -> Path | None:
    """What the run in `output` goes on from, with `resume`."""
    found = output / CHECKPOINT
    return found if config["resume"] and found.exists() else None


def fit(
    module: pl.LightningModule,
    datamodule: data.DataModule,
    config: dict[str, Any],
    output: Path,
    logs: list[loggers.Log],
) -> None:
    """Run the loop to its last iteration, from the checkpoint in `output` with `resume`."""
    resume = checkpoint(config, output)
    if resume:
        datamodule.start = restored(module, resume, config.get("generator", {}).get("code_scale"))
        print("\n".join(changes(settings.read(output) or config, config)))
    if first():
        settings.write(config, output, "train")
    keys = ("iterations", "log_every", "eval_every", "save_minutes", "snapshot_every")
    keeper = Keeper(output, **{key: config[key] for key in keys if key in config})
    trainer = lightning.trainer(
        config["trainer"],
        [keeper],
        logs,
        default_root_dir=output,
        max_epochs=-1,
        limit_val_batches=0,
    )
    print(f"precision: {trainer.precision}")
    trainer.fit(module, datamodule=datamodule, ckpt_path=resume)
    if keeper.stopped:
        raise Stopped(keeper.stopped, f"iteration {module.iteration} is saved in {output / CHECKPOINT}")


def restored(module: pl.LightningModule, path: Path, code_scale: float | None) -> int:
    """The number of images that a checkpoint has seen; UserError if `module` or `code_scale` does not fit it.

    Lightning restores the checkpoint again later, when the run's folder already records the new settings.
    """
    saved = torch.load(path, map_location="cpu", weights_only=True)
    for role in READ:
        before, now = (begun.get(f"{role}_sha256") for begun in (saved.get("begun", {}), getattr(module, "begun", {})))
        if before and before != now:
            raise UserError(f"cannot resume {path}: it was trained with other weights of the {role}; set those, or "
                            "another output=DIR")  # fmt: skip
    try:
        module.on_load_checkpoint(saved)
        module.load_state_dict(saved["state_dict"])
    except (KeyError, RuntimeError, ValueError):
        raise UserError(f"cannot resume {path}: it has other networks or losses; set those that it began with, or "
                        "another output=DIR") from None  # fmt: skip
    if code_scale and code_scale != saved["code_scale"]:
        raise UserError(f"cannot resume {path}: its generator.code_scale is {saved['code_scale']:.4g}; leave "
                        "generator.code_scale out, or set another output=DIR")  # fmt: skip
    return saved["images"]


def changes(before: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """One line per setting that changed since the run was last started: the result will differ."""
    for key in {**before, **now}:
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from changes(old, new, f"{path}{key}.")
        elif old != new and f"{path}{key}" not in {"resume", "output"}:
            yield f"resuming with {path}{key}={new} instead of {old}"
