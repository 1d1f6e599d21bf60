"""A W&B run with metrics, pictures and files, offline or online."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from dgn.base import images
from dgn.base.errors import UserError, nearest
from dgn.base.files import sha256, write_text
from dgn.loggers.log import Log


class WandbLog(Log):
    """A W&B run, whose x-axis is `images`; everything it writes is in the run's folder, under `wandb/`.

    Its name is the folder's. Its id is kept in `wandb/id`, so that a resumed run goes on as the same one. Its summary
    holds `images`, `iteration` and the last of every `val/…`. Offline it needs no account and touches no network.

    Args:
        mode: "offline" or "online".
        project, entity, group, job_type, tags: as W&B means them.
    """

    name = "wandb"
    modes = ("offline", "online")
    begin_seconds, end_seconds = 30, 600  # how long a server may not answer

    def __init__(
        self,
        folder: Path | str,
        *,
        mode: str,
        project: str,
        entity: str | None,
        group: str | None,
        job_type: str | None,
        tags: str | Sequence[str],
    ) -> None:
        super().__init__(folder)
        if mode not in self.modes:
            raise UserError(f"logger.mode={mode} is not a valid choice: {nearest(str(mode), self.modes)}")
        try:
            import wandb

            self.settings = wandb.Settings(
                reinit="create_new",  # never another run's
                console="off",
                init_timeout=self.begin_seconds,
                finish_timeout=self.end_seconds,
                finish_timeout_raises=True,
            )
        except (ImportError, AttributeError):  # a folder called wandb can be imported too, but has no settings
            raise UserError("logger=wandb needs a package: install it by pip install wandb") from None
        self.wandb, self.offline = wandb, mode == "offline"
        labels = {"mode": mode, "project": project, "entity": entity, "group": group, "job_type": job_type}
        self.labels: dict[str, Any] = {key: None if label is None else str(label) for key, label in labels.items()}
        self.labels["tags"] = [tags] if isinstance(tags, str) else [str(tag) for tag in tags or ()]
        self.run: Any = None

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run, begun when it is first asked for; UserError if no server takes it."""
        if self.run is None:
            self.run = self._begin()
        return self.run

    def _begin(self) -> Any:
        home, known = self.folder / "wandb", self.folder / "wandb" / "id"
        home.mkdir(parents=True, exist_ok=True)
        # W&B reads these when its helper process starts, which is once a run because `_leave` ends it
        here = {"WANDB_DATA_DIR": str(home), "WANDB_CACHE_DIR": str(home), "WANDB_SILENT": "true"}
        here["WANDB_ERROR_REPORTING"] = "false"  # crash reports would be sent offline too
        if self.offline:
            here["WANDB_CONFIG_DIR"] = str(home)  # online: the user's own, where `wandb login` keeps the server
        self.outside = {name: os.environ.get(name) for name in here}
        os.environ |= here
        try:
            run = self.wandb.init(
                **self.labels,
                dir=self.folder,
                name=self.folder.name,
                id=known.read_text() if known.exists() else None,
                resume="allow",
                settings=self.settings,
            )
        except (self.wandb.Error, ValueError) as error:  # ValueError: a label that it does not take
            self._leave()
            reason = " ".join(str(error).split())
            login = "run wandb login, or set logger.mode=offline"
            instead = login if isinstance(error, self.wandb.Error) else "set other logger.project, group or tags"
            raise UserError(f"cannot start a W&B run ({reason}): {instead}") from None
        write_text(known, run.id)
        run.define_metric("*", step_metric="images", summary="none")
        print(f"W&B: offline; to upload, run wandb sync {home}/offline-run-*" if self.offline else f"W&B: {run.url}")
        return run

    def _leave(self) -> None:
        """End W&B's helper process; the environment as it was."""
        self.wandb.teardown()
        for name, value in self.outside.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        self.experiment.config.update(params, allow_val_change=True)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        values = {**metrics, "iteration": step}
        self.experiment.log(values, step=step)
        kept = {name: value for name, value in values.items() if name.startswith("val/")}
        self.experiment.summary.update(kept | {name: values[name] for name in ("images", "iteration")})

    @rank_zero_only
    def picture(self, name: str, image: Tensor, step: int, seen: int) -> None:
        self.experiment.log({name: self.wandb.Image(images.shown(image)), "images": seen}, step=step)

    @rank_zero_only
    def artifact(self, path: Path, kind: str) -> None:
        self.experiment.log_artifact(self._file(path, kind))

    @rank_zero_only
    def uses(self, path: Path, kind: str) -> None:
        self.experiment.config.update({f"{kind}_sha256": sha256(path)}, allow_val_change=True)
        if not self.offline:  # W&B knows no use of an artifact offline
            self.experiment.use_artifact(self._file(path, kind))  # the same content is the same artifact: the lineage

    def _file(self, path: Path, kind: str) -> Any:
        kept = self.wandb.Artifact(re.sub(r"[^\w.-]+", "_", path.stem), type=kind)
        kept.add_file(str(path), policy="immutable", skip_cache=True)  # no second and third copy of it
        return kept

    @rank_zero_only
    def table(self, name: str, folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
        shown = self.wandb.Table(columns=[*rows[0]])
        for row in rows:
            picture = self.wandb.Image(str(folder / row["image"]))
            shown.add_data(*(picture if key == "image" else value for key, value in row.items()))
        self.experiment.log({name: shown})

    @rank_zero_only
    def measures(self, values: Mapping[str, float]) -> None:
        self.experiment.summary.update(dict(values))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        if self.run is None or status == "success":
            return
        run, self.run = self.run, None
        try:
            run.finish(exit_code=0 if status == "finished" else 1)
        except TimeoutError:
            print(f"W&B: no answer from the server; to upload, run wandb sync --include-online {Path(run.dir).parent}")
        finally:
            self._leave()
