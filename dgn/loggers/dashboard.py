"""The W&B workspace that compares runs, written with the account that is logged in.

The charts use the metrics that `dgn.loggers` writes; a run without a metric is only missing from that chart.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from dgn import settings
from dgn.base.errors import UserError
from dgn.sweeps import jobs

AXIS = "images"  # of every curve, see docs/logging.md
CURVES = {  # a section a line; what its charts show, by the beginnings of their names
    "Inversion errors": ("val/inversion/", "val/unexplained/"),
    "Losses": ("loss/", "share/", "balance/"),
    "Classifiers": ("val/top", "lr"),
}
ERRORS = ("val/unexplained/fc6", "val/inversion/pixels")  # of trainings: the figures by which they are compared
FIGURES = ("target_top1", "score", "share_at_bound", "dead")  # the same of syntheses


def swept(sweep: Path) -> list[str]:
    """Where the runs of a sweep keep what was swept: keys of their configs that hold a plain value.

    Of a group that is the name of what was chosen, `data.name` of `data=imagefolder,photos`; one without a name is left
    out. UserError if it is not the folder of a sweep, or if no point of it has begun.
    """
    points = jobs.read(sweep)
    configs = [config for point in points if point.folder and (config := settings.read(point.folder))]
    if not configs:
        raise UserError(f"no point of {sweep} has started: run the sweep first")
    values = settings.counted(configs[0])
    words = dict.fromkeys(word.lstrip("+") for point in points for word in point.words)
    typed = [key for key, times in Counter(word.partition("=")[0] for word in words).items() if times > 1]
    places = [(key, f"{key.rpartition('@')[2]}.name") for key in typed]
    return [key if key in values else name for key, name in places if key in values or name in values]


def workspace(entity: str, project: str, name: str, keys: list[str], group: str | None) -> Any:
    """The workspace as an object of `wandb_workspaces`: nothing is sent. UserError if the package is missing.

    Args:
        keys: config keys, an axis each of the parallel coordinates before the figures.
        group: of the runs that are shown, as WandbLog groups a sweep; None for all.
    """
    try:
        import wandb_workspaces.reports.v2 as panels
        import wandb_workspaces.workspaces as ws
    except ImportError:
        raise UserError("the dashboard needs a package: install it by pip install wandb-workspaces") from None

    def coordinates(figures: tuple[str, ...]) -> Any:
        axes = [*map(panels.Config, keys), *map(panels.SummaryMetric, figures)]
        return panels.ParallelCoordinatesPlot(columns=[panels.ParallelCoordinatesPlotColumn(metric=a) for a in axes])

    def curves(start: str) -> Any:
        return panels.LinePlot(title=f"{start}…", x=AXIS, metric_regex=f"^{start}.*")

    shown = {
        "Trainings compared": [coordinates(ERRORS)],
        "Syntheses compared": [coordinates(FIGURES), *(panels.BarPlot(metrics=[figure]) for figure in FIGURES)],
        "Pictures": [panels.MediaBrowser(media_keys=["reconstructions"]),
                     panels.WeavePanelSummaryTable(table_name="pictures")],
    } | {title: list(map(curves, starts)) for title, starts in CURVES.items()}  # fmt: skip
    return ws.Workspace(
        entity=entity,
        project=project,
        name=name,
        sections=[ws.Section(name=title, panels=those, is_open=True) for title, those in shown.items()],
        settings=ws.WorkspaceSettings(x_axis=AXIS),
        runset_settings=ws.RunsetSettings(filters=[ws.Metric("Group") == group] if group else []),
    )


def save(made: Any) -> str:
    """Write a workspace to W&B and give its address; UserError for who is not logged in, or if it is refused."""
    import wandb

    try:
        if not wandb.login(prompt=False):
            raise UserError("you are not logged in to W&B: run wandb login, or add --dry-run")
        return made.save().url
    except (wandb.Error, OSError, ValueError) as error:  # ValueError: refused in a GraphQL answer, or no such project
        raise UserError(
            f"W&B refused the workspace ({' '.join(str(error).split())}): add --dry-run to see it"
        ) from None
