"""What `train.py` runs: the config in, a weights file or a bundle out."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import save_file

from dgn import data, precision
from dgn.files import whole, write_text
from dgn.networks import zoo
from dgn.training.run import CHECKPOINT, Keeper


def run(config: DictConfig, output: Path) -> None:
    """Train what `config.task` names, in `output`."""
    torch.set_float32_matmul_precision("high")
    write_text(output / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
    pl.seed_everything(config.seed, verbose=False)
    plain = OmegaConf.to_container(config, resolve=True)
    globals()[f"train_{config.task}"](plain, output)


def train_classifier(config: dict[str, Any], output: Path) -> None:
    """Train a classifier and write its weights as fp16 safetensors with the class names inside."""
    datamodule = data.build(config["data"], config["augment"], config["seed"])
    node = config["classifier"]
    node["args"] = (node.get("args") or {}) | {"classes": len(datamodule.classes)}
    module = instantiate(config["module"], _partial_=True)(network=zoo.module(node), contract=zoo.contract(node))
    fit(module, datamodule, config, output)
    state = {name: value.half().contiguous() if value.is_floating_point() else value
             for name, value in module.network.state_dict().items()}
    path = output / f"{node['name']}.safetensors"
    with whole(path) as part:
        save_file(state, part, {"classes": "\n".join(datamodule.classes), "data": datamodule.name})
    print(f"weights: {path}")


def fit(module: pl.LightningModule, datamodule: data.DataModule, config: dict[str, Any], output: Path) -> None:
    """Run the loop to its last iteration, from the checkpoint in `output` with `resume`."""
    checkpoint = output / CHECKPOINT
    resume = checkpoint if config["resume"] and checkpoint.exists() else None
    if resume:
        datamodule.start = torch.load(resume, map_location="cpu", weights_only=True)["iteration"]
    settings = dict(config["trainer"])
    if settings["precision"] == "auto":
        settings["precision"] = precision.best("cuda" if settings["accelerator"] == "gpu" else "cpu")
    print(f"precision: {settings['precision']}")
    keeper = Keeper(output, *(config[k] for k in ("iterations", "log_every", "eval_every", "save_minutes")))
    trainer = pl.Trainer(
        **settings,
        default_root_dir=output,
        max_epochs=-1,
        logger=[instantiate(config["logger"])],
        callbacks=[keeper],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    trainer.fit(module, datamodule=datamodule, ckpt_path=resume)
