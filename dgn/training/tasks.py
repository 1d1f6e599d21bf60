"""What `train.py` runs: the config in, a weights file or a bundle out."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.progress import track

from dgn import bundle, data, loop
from dgn import config as settings
from dgn.codes import Moments
from dgn.errors import Stopped, UserError
from dgn.files import sha256
from dgn.generators import Generator
from dgn.generators.deepsim import pattern
from dgn.networks import zoo
from dgn.networks.features import Features
from dgn.ranks import first
from dgn.training.deepsim import Comparator, DeepsimTraining
from dgn.training.discriminator import Discriminator
from dgn.training.run import CHECKPOINT, Keeper


def run(config: DictConfig, output: Path) -> None:
    """Train what `config.task` names, in `output`."""
    torch.set_float32_matmul_precision("high")
    pl.seed_everything(config.seed, verbose=False)
    plain = settings.plain(config)
    {"generator": train_generator, "classifier": train_classifier}[config.task](plain, output)


def train_classifier(config: dict[str, Any], output: Path) -> None:
    """Train a classifier and write its weights as fp16 safetensors with the class names inside."""
    datamodule = data.build(config["data"], config["augment"], config["seed"])
    node = config["classifier"]
    node["args"] = (node.get("args") or {}) | {"classes": len(datamodule.classes)}
    module = instantiate(config["module"], _partial_=True)(
        network=zoo.module(node), contract=zoo.contract(node), classes=datamodule.classes
    )
    fit(module, datamodule, config, output)
    if first():
        path = output / f"{node['name']}.safetensors"
        module.write(path)
        print(f"weights: {path}")


def train_generator(config: dict[str, Any], output: Path) -> None:
    """Train G for `encoder.layer` and write the bundle: G, moments of its code, some codes, where all came from."""
    datamodule = data.build(config["data"], config["augment"], config["seed"])
    encoder, comparator = encoder_and_comparator(config)
    code = encoder(next(datamodule.plain(128))[0])
    loss = instantiate(config["loss"])
    generator = build_generator(config["generator"], code)
    begun = warm_start(generator, config["init"]) if config["init"] else {}
    size = config["generator"]["size"]
    discriminator = Discriminator(
        code_shape=code.shape[1:], outputs=loss["adversarial"]["kind"].outputs, **config["discriminator"]
    )
    print(f"code {tuple(code.shape[1:])} of {config['encoder']['name']} {encoder.layers[0]}; image {size} px; "
          f"G {count(generator):.1f} M, D {count(discriminator):.1f} M parameters")  # fmt: skip
    module = instantiate(config["module"], _partial_=True)(
        encoder=encoder, comparator=comparator, generator=generator, discriminator=discriminator,
        **{name: loss[name] for name in ("pixel", "feature", "adversarial", "code", "balance")},
    )  # fmt: skip
    fit(module, datamodule, config, output)
    write_bundle(module, datamodule, config, output, begun)


def encoder_and_comparator(config: dict[str, Any]) -> tuple[Features, Comparator]:
    """E and C; where both are one network it is read once, at the layers of both.

    C is the comparator's network, or a class of its own that the loss names (LPIPS).
    """
    encoder, comparator = config["encoder"], config["comparator"]
    feature = config["loss"]["feature"]
    own = instantiate(feature["network"]) if "network" in feature else None
    layers = [layer for layer, weight in feature["layers"].items() if weight]
    same = own is None and all(
        encoder.get(key) == comparator.get(key) for key in ("_target_", "args", "weights", "input")
    )
    wanted = [encoder["layer"], *config["measure"], *(layers if same else [])]
    read = zoo.features(encoder, list(dict.fromkeys(wanted)), activated=True)
    return read, own or (read if same else zoo.features(comparator, layers, activated=True))


def build_generator(config: dict[str, Any], code: torch.Tensor) -> Generator:
    """G for codes like `code`: its shape and, where the config leaves it open, its scale."""
    args = {k: v for k, v in config.items() if k not in {"kind", "hidden", "widths", "tables"}}
    args["code_shape"] = tuple(code.shape[1:])
    args["layers"] = args["layers"] or pattern(args["code_shape"], args["size"], config["hidden"], config["widths"])
    args["code_scale"] = args["code_scale"] or float(code.square().mean().sqrt())
    return bundle.KINDS[config["kind"]](**args)


def warm_start(generator: Generator, name: str) -> dict[str, Any]:
    """Give `generator` the weights of a bundle's G, and say how many images that one has seen.

    Not an exact continuation: a bundle holds weights alone, as fp16; the optimisers and D start afresh.
    """
    path = bundle.find(name)
    held = bundle.load(path)
    differ = [key for key in generator.args if key != "code_scale" and generator.args[key] != held.generator.args[key]]
    if differ:
        raise UserError(
            f"init={name} holds another G ({', '.join(differ)} differ): train with the settings it was made with"
        )
    generator.load_state_dict(held.generator.state_dict())
    generator.args["code_scale"] = generator.code_scale = held.generator.code_scale
    seen = held.record.get("images_seen", 0)
    print(f"G begins with the weights of {path.name} ({seen:,} images seen); optimisers and D begin afresh")
    return {"init": sha256(path), "images_seen": seen}


def count(module: torch.nn.Module) -> float:
    """Millions of trained parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad) / 1e6


def measure(module: DeepsimTraining, datamodule: data.DataModule, config: Mapping[str, Any]) -> Moments:
    """The moments of the codes of real training images; several processes measure a share each, exactly merged."""
    rank, world = module.trainer.global_rank, module.trainer.world_size
    moments = Moments(config["per_element"])
    batches = datamodule.plain(config["images"])
    for i, (x, *_) in enumerate(track(batches, "measuring codes", transient=True, disable=rank > 0)):
        if i % world == rank:
            moments.update(module.encoder(x.to(module.device, module.dtype)).cpu())
    if world > 1:
        shares: list[Any] = [None] * world
        torch.distributed.all_gather_object(shares, moments)
        moments = shares[0]
        for share in shares[1:]:
            moments.merge(share)
    return moments


@torch.no_grad()
def write_bundle(
    module: DeepsimTraining, datamodule: data.DataModule, config: dict[str, Any], output: Path, begun: Mapping[str, Any]
) -> None:
    """Measure the codes of real training images and write everything that synthesis needs to one file."""
    module.eval().to(module.trainer.strategy.root_device)
    moments = measure(module, datamodule, config["moments"])
    if not module.trainer.is_global_zero:
        return
    held_out = [x.to(module.device, module.dtype) for x, *_ in datamodule.val_dataloader()]
    codes = torch.cat([module.encoder(x).cpu() for x in held_out])
    codes = codes[torch.linspace(0, len(codes) - 1, min(config["kept_codes"], len(codes))).long()]
    node = config["encoder"]
    seen = module.iteration * datamodule.batch_size * module.trainer.world_size
    record = {
        "encoder": node["name"],
        "layer": node["layer"],
        "encoder_sha256": sha256(zoo.find(node["weights"])) if node["weights"] else None,
        "data": datamodule.name,
        "holds": module.holds,
        **begun,
        "images_seen": seen + begun.get("images_seen", 0),
        "errors": module.evaluate((x,) for x in held_out),
    }
    path = output / f"{node['name']}-{node['layer']}-{datamodule.name}.bundle.safetensors"
    bundle.save(path, module.best(), moments, codes, record)
    for logger in module.trainer.loggers:
        logger.artifact(path, "bundle")  # type: ignore[attr-defined]
    print(f"bundle: {path}")


def fit(module: pl.LightningModule, datamodule: data.DataModule, config: dict[str, Any], output: Path) -> None:
    """Run the loop to its last iteration, from the checkpoint in `output` with `resume`."""
    checkpoint = output / CHECKPOINT
    resume = checkpoint if config["resume"] and checkpoint.exists() else None
    if resume:
        datamodule.start = torch.load(resume, map_location="cpu", weights_only=True)["iteration"]
        print("\n".join(changes(settings.read(output) or config, config)))
    if first():
        settings.write(config, output, "train")
    keys = ("iterations", "log_every", "eval_every", "save_minutes", "snapshot_every")
    keeper = Keeper(output, **{key: config[key] for key in keys if key in config})
    trainer = loop.trainer(
        config["trainer"],
        [keeper],
        [instantiate(config["logger"])],
        default_root_dir=output,
        max_epochs=-1,
        limit_val_batches=0,
    )
    print(f"precision: {trainer.precision}")
    loop.fit(trainer, module, datamodule=datamodule, ckpt_path=resume)
    if keeper.stopped:
        raise Stopped(keeper.stopped, f"iteration {module.iteration} is saved in {checkpoint}")


def changes(before: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """A line for every setting that differs from the run's first start: it will not be the run it would have been."""
    for key in now:
        old, new = before.get(key), now[key]
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from changes(old, new, f"{path}{key}.")
        elif old != new and f"{path}{key}" not in {"resume", "output"}:
            yield f"goes on with {path}{key}={new} instead of {old}"
