"""The tasks of `dgn train`: from the config to a weights file, a bundle or measured errors."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch

from dgn import data, loggers, settings
from dgn.base import images, lightning, precision
from dgn.base.errors import Stopped, UserError, first_line
from dgn.base.files import write_text
from dgn.base.instantiate import instantiate
from dgn.base.ranks import first
from dgn.base.typed import arguments
from dgn.evaluation import inversion, judge
from dgn.generators import bundle, inverted, kinds, lookup
from dgn.generators.base import Generator
from dgn.networks import class_names, zoo
from dgn.networks.features import Features
from dgn.networks.outputs import parts
from dgn.networks.settings import NetworkSettings
from dgn.networks.validate import check_arithmetic, noise
from dgn.training import fooled
from dgn.training.callbacks import CHECKPOINT, Keeper
from dgn.training.code_cache import Kept, keep
from dgn.training.deepsim import Comparator, DeepsimTraining
from dgn.training.discriminator import Discriminator
from dgn.training.export import LATEST, Export
from dgn.training.recipe import FEW, WIDTHS, breadth, chosen, same_network
from dgn.training.settings import (
    ClassifierSettings,
    FooledSettings,
    GeneratorSettings,
    InversionSettings,
    LoopSettings,
    TrainSettings,
)
from dgn.training.warm_start import warm_start

READ = ("encoder", "comparator")  # frozen networks: a resumed run must have the same weights of them


def run(config: TrainSettings, output: Path) -> Path:
    """Run the task of these settings in the folder `output`; returns the file with the result."""
    pl.seed_everything(config.seed, verbose=False)
    config = config.model_copy(update={"trainer": lightning.decided(config.trainer)})
    tasks: dict[type[TrainSettings], Callable[[Any, Path, list[loggers.Log]], Path]] = {
        GeneratorSettings: train_generator,
        ClassifierSettings: train_classifier,
        FooledSettings: fooled.make,
        InversionSettings: measure_inversion,
    }
    with loggers.observe(config, output) as logs:
        return tasks[type(config)](config, output, logs)


def check_devices(trainer: Mapping[str, Any]) -> None:
    """UserError for an impossible trainer, or for several devices without trainer=ddp."""
    several = lightning.trainer(trainer, [], []).world_size > 1
    if several and trainer.get("use_distributed_sampler", True):
        raise UserError("training on several devices needs trainer=ddp: set trainer=ddp and trainer.devices=2")


def train_classifier(config: ClassifierSettings, output: Path, logs: list[loggers.Log]) -> Path:
    """Train a classifier and write its weights as fp16 safetensors with the class names inside."""
    check_devices(config.trainer)
    datamodule = data.build(config.data, config.augment, config.seed)
    if len(datamodule.classes) < 2:
        raise UserError(f"{datamodule.classes[0]} is the only class, and a classifier needs two or more: set data.root "
                        "to a folder with one folder of images per class")  # fmt: skip
    args = config.classifier.args | {"classes": len(datamodule.classes)}
    classifier = config.classifier.model_copy(update={"args": args})
    config = config.model_copy(update={"classifier": classifier})
    module = instantiate(config.module, _partial_=True)(
        network=zoo.module(classifier, "classifier"), contract=zoo.contract(classifier), classes=datamodule.classes
    )
    network = deepcopy(module.network)  # a forward pass in training mode changes the running statistics
    check_arithmetic(network, lambda x: parts(network(module.arranged(x))).values(), noise(module.contract),
                     config.trainer["precision"], "classifier")  # fmt: skip
    fit(module, datamodule, config, output, logs)
    path = output / f"{classifier.name}.safetensors"
    if first():
        module.write(path)
        for log in logs:
            log.artifact(path, "weights")
        print(f"weights: {path}")
    return path


def train_generator(config: GeneratorSettings, output: Path, logs: list[loggers.Log]) -> Path:
    """Train G to invert `encoder.layer` and write the bundle: G, the codes' moments, some codes, the provenance."""
    check_devices(config.trainer)
    datamodule = data.build(config.data, config.augment, config.seed)
    check_sizes(config)
    loss = instantiate(config.loss)
    encoder, comparator = encoder_and_comparator(config, loss["feature"])
    some = next(datamodule.plain(128), None)
    if some is None:
        raise UserError("cannot read any of 128 training images spread over the data set: repair them, or set another "
                        "data.root")  # fmt: skip
    for role, read in zip(READ, (encoder, comparator), strict=True):
        if isinstance(read, Features):
            check_arithmetic(read, values_of(read), noise(read.contract), config.trainer["precision"], role)
    code = encoder(some[0])
    kept = keep(encoder, datamodule, config)
    generator = build_generator(config.generator, code, len(datamodule.train))
    config = chosen(config, generator, code, len(datamodule.train), some[0])
    begun: dict[str, Any] = {"encoder_sha256": inverted.identity(config.encoder),
                             "comparator_sha256": zoo.identity(config.comparator)}  # fmt: skip
    if not checkpoint(config, output):
        begun |= warm_start(generator, config, datamodule, encoder, kept)
    loss["code"]["weight"] = config.loss["code"]["weight"]
    module = assembled(config, loss, encoder, comparator, generator, kept, begun)
    print(f"code {generator.code_shape} of {config.encoder.name} {encoder.layers[0]}; image "
          f"{images.px(generator.size)}; G {count(generator):.1f} M, D {count(module.discriminator):.1f} M "
          "parameters")  # fmt: skip
    with precision.prepared(*(part for part in (encoder, comparator) if isinstance(part, torch.nn.Module))):
        export = Export(module, datamodule, config, output)
        news = fit(module, datamodule, config, output, logs, export)
    return export.final(news)


def check_sizes(config: GeneratorSettings) -> None:
    """UserError for a batch that `accumulate` cannot split, or for a G or D of another size than the images."""
    batch, accumulate = config.data.batch_size, config.module["accumulate"]
    if batch % accumulate or batch // accumulate < 2:
        raise UserError(f"cannot split a batch of {batch} into {accumulate} equal parts of two or more images: set "
                        "another module.accumulate or data.batch_size")  # fmt: skip
    crop = config.data.crop
    sizes = {"generator": config.generator.get("size", crop), "discriminator": config.discriminator.size}
    for part, size in sizes.items():
        if size != crop:
            raise UserError(f"{part}.size={size} differs from data.crop={crop}: leave {part}.size out, it follows "
                            "data.crop")  # fmt: skip


def values_of(read: Features) -> Callable[[torch.Tensor], Iterable[torch.Tensor]]:
    """Images to the activations of all layers."""
    return lambda x: read.all(x).values()


def assembled(
    config: GeneratorSettings,
    loss: Mapping[str, Any],
    encoder: Features,
    comparator: Comparator,
    generator: Generator,
    kept: Kept | None,
    begun: Mapping[str, Any],
) -> DeepsimTraining:
    """The training module of these settings, with a new D."""
    discriminator = Discriminator(
        code_shape=generator.code_shape, outputs=loss["adversarial"]["kind"].outputs, **config.discriminator.plain()
    )
    return instantiate(config.module, _partial_=True)(
        encoder=encoder, comparator=comparator, observer=observed(config.observer), kept=kept, begun=begun,
        generator=generator, discriminator=discriminator, iterations=config.iterations,
        pixels_first=config.pixels_first,
        **{name: loss[name] for name in ("pixel", "feature", "adversarial", "code", "balance")},
    )  # fmt: skip


def measure_inversion(config: InversionSettings, output: Path, logs: list[loggers.Log]) -> Path:
    """Measure a bundle's inversion errors on the held-out images: `errors.csv` and `reconstructions.png`."""
    datamodule = data.build(config.data, config.augment, config.seed)
    measured = bundle.load(lookup.find(config.bundle), kinds.named(config.generator.kind))
    generator, layer = measured.generator, config.encoder.layer or layer_of(measured)
    network = config.encoder.model_copy(update={"layer": layer})
    inverted.same_encoder(measured, network, "encoder")
    size = generator.size
    if config.data.crop != size:
        raise UserError(f"this bundle makes images of {size} px: set data.resize={size} data.crop={size}")
    layers = list(dict.fromkeys([layer, *config.eval_layers]))
    encoder = zoo.features(network, layers, activated=True, role="encoder")
    classes = class_names.readable(datamodule.classes)
    judges = load_judges(config.judge, network, classes)
    settings.write(config.plain(), output, "train")
    with torch.no_grad():
        errors = inversion.errors(encoder, {"": generator}, datamodule.val_dataloader(), observed(config.observer))
        if judges:
            errors |= inversion.named(judges, encoder, generator, datamodule.val_dataloader(), classes)
        picture = inversion.picture(encoder, generator, datamodule.examples(inversion.SHOWN))
    images.save(output / "reconstructions.png", picture)
    write_text(output / "errors.csv", "error,value\n" + "".join(f"{k},{v:.6g}\n" for k, v in errors.items()))
    for name, value in errors.items():
        print(f"{name:<32}{value:.4g}")
    print(f"pictures: {output / 'reconstructions.png'}")
    return output / "errors.csv"


def layer_of(measured: bundle.Bundle) -> str:
    """The layer whose codes a bundle's G inverts; UserError if the bundle does not record it."""
    if not measured.record.get("layer"):
        raise UserError("this bundle does not record the layer that it inverts: set encoder.layer=NAME")
    return measured.record["layer"]


def load_judges(
    settings: NetworkSettings | None, encoder: NetworkSettings, classes: list[str]
) -> dict[str, judge.Judge]:
    """The judge and, if its outputs have names, the encoder as a second one; none without settings of a judge.

    UserError if the judge knows no class of the data.
    """
    if settings is None:
        return {}
    independent = judge.load(settings, {"the encoder": zoo.identity(encoder)})
    known = sum(map(independent.knows, classes))
    if not known:
        raise UserError(f"the judge {independent.name} shares no class with the data ({', '.join(classes[:3])}, …): "
                        "set network@judge=ANOTHER")  # fmt: skip
    print(f"judge: {independent.name} knows {known} of {len(classes)} classes")
    second = judge.named(encoder, "encoder")
    return {"judge": independent} | ({"encoder": second} if second and any(map(second.knows, classes)) else {})


def observed(settings: NetworkSettings) -> Features:
    """The network by whose features reconstructions are compared with images, at its one layer."""
    return zoo.features(settings, str(settings.layer), activated=True, role="observer")


def encoder_and_comparator(config: GeneratorSettings, feature: Mapping[str, Any]) -> tuple[Features, Comparator]:
    """E and C. If they are one network, it is loaded once and read at the layers of both.

    C is the comparator's network, or the one of the feature loss (LPIPS).
    """
    encoder, comparator = config.encoder, config.comparator
    lpips = feature.get("network")
    layers = [layer for layer, weight in feature["layers"].items() if weight]
    if not layers:
        raise UserError(
            "all loss.feature.layers have weight 0: set one above 0; to switch the term off, set loss.feature.weight=0"
        )
    same = lpips is None and same_network(encoder, comparator)
    wanted = [str(encoder.layer), *config.eval_layers, *(layers if same else [])]
    read = zoo.features(encoder, list(dict.fromkeys(wanted)), activated=True, role="encoder")
    return read, lpips or (read if same else zoo.features(comparator, layers, activated=True, role="comparator"))


def build_generator(settings: Mapping[str, Any], code: torch.Tensor, images: int = FEW) -> Generator:
    """A new G for codes like `code`: the class that `kind` names, with the other settings as its arguments.

    `images` is the number of training images, on which widths=auto depends.

    UserError for arguments that this class does not take, and for a G that could not be written to a bundle.
    """
    cls = kinds.named(settings.get("kind"))
    if cls is None:
        raise UserError("training needs generator.kind: set generator=small or generator=deepsim, or "
                        f"generator.kind={' or '.join(kinds.KINDS)} or the import path of your own class")  # fmt: skip
    try:
        args = {key: value for key, value in settings.items() if key != "kind"}
        if args.get("widths") == "auto":
            args["widths"] = WIDTHS[breadth(code, images)]
        generator = cls.for_codes(code, **arguments(cls.for_codes, args, "generator.", filled=("codes",)))
        arguments(cls, json.loads(json.dumps(generator.args)), f"{cls.__name__}.args.")
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f"cannot build the generator {kinds.kind_of(cls)} ({first_line(error)})") from None
    return generator


def count(module: torch.nn.Module) -> float:
    """Millions of trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad) / 1e6


def checkpoint(config: LoopSettings, output: Path) -> Path | None:
    """The checkpoint in `output` from which the run resumes; None for a new run."""
    path = output / CHECKPOINT
    return path if config.resume and path.exists() else None


def fit(
    module: pl.LightningModule,
    datamodule: data.DataModule,
    config: LoopSettings,
    output: Path,
    logs: list[loggers.Log],
    export: Export | None = None,
) -> bool:
    """Train to the last iteration; a resumed run begins at its checkpoint.

    Returns whether there was anything to do: False for a run that was complete, with the same settings.
    """
    resume, plain, news = checkpoint(config, output), config.plain(), True
    if resume:
        code_scale = config.generator.get("code_scale") if isinstance(config, GeneratorSettings) else None
        datamodule.start = restored(module, resume, code_scale)
        changed = list(changes(settings.read(output) or plain, plain))
        print("\n".join(changed))
        news = bool(changed) or cast(Any, module).iteration < int(config.iterations)
    if first():
        settings.write(plain, output, "train")
    keeper = Keeper(
        output,
        iterations=int(config.iterations),
        log_every=config.log_every,
        eval_every=config.eval_every,
        save_minutes=config.save_minutes,
        snapshot_every=config.snapshot_every if isinstance(config, ClassifierSettings) else None,
        stop_at=config.stop_at if isinstance(config, GeneratorSettings) else None,
        export=export,
    )
    trainer = lightning.trainer(
        config.trainer, [keeper], logs, default_root_dir=output, max_epochs=-1, limit_val_batches=0
    )
    print(f"precision: {trainer.precision}")
    trainer.fit(module, datamodule=datamodule, ckpt_path=resume)
    if keeper.stopped:
        look = f", and the bundle of the last evaluation in {LATEST}" if (output / LATEST).exists() else ""
        raise Stopped(keeper.stopped, f"iteration {module.iteration} is saved in {output / CHECKPOINT}{look}")
    return news


def restored(module: pl.LightningModule, path: Path, code_scale: float | None) -> int:
    """The number of images that a checkpoint has seen; UserError if `module` or `code_scale` does not fit it.

    Lightning restores the checkpoint once more, but only after the run's folder records the new settings.
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
