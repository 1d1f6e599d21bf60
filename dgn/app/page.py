"""The explorer's page: controls on the left, the picture on the right, the same command line below."""

import secrets
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from dgn.app import stage
from dgn.app.choices import GROUPS, SLIDERS, Choices, command, replaced
from dgn.base.errors import UserError
from dgn.settings import messages
from dgn.synthesis.inputs import prior_name
from dgn.synthesis.interactive import Live

AT_ONCE = 4  # climbs of several visitors; more wait in a queue
LAUNCH: dict[str, Any] = {
    "theme": gr.themes.Base(
        spacing_size="sm", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    ),
    "css_paths": Path(__file__).with_name("page.css"),
    "share": False,
    "ssr_mode": False,  # it would start a second server
    "footer_links": [],
    "quiet": True,
    "max_file_size": 1,  # bytes: the page takes no file, and no other site is to leave one here
}
HEAD = """<h1>What does this unit want to see?</h1>
<p>Gradient ascent on a generator's code makes a picture with a high score of one unit. Choose a unit and press
Start; Stop ends early, Keep saves the run.</p>"""


def guarded(host: str) -> dict[str, Any]:
    """For `launch`: a page served to this machine only refuses other host names (DNS rebinding)."""
    if host not in {"127.0.0.1", "localhost"}:
        return {}
    local_only = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    return {"app_kwargs": {"middleware": [local_only]}}


def build(choices: Choices, runs: Path) -> gr.Blocks:
    """The page; Keep writes into new folders of `runs`."""
    with gr.Blocks(title="dgn explorer", analytics_enabled=False) as page:
        live = gr.State(None)  # the visitor's own Live
        gr.HTML(HEAD, elem_id="head")
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                network, layer, unit = subject(choices)
                with gr.Row():
                    start, stop, keep = buttons(True, False, False)
                values = groups(choices) | numbers(choices)
            with gr.Column(scale=5, min_width=320):
                view = gr.HTML(stage.EMPTY, elem_id="stage")
                told = gr.HTML("", elem_id="told")
                line = gr.Textbox(label="Same run on the command line", interactive=False, lines=2, max_lines=4,
                                  elem_id="line", buttons=["copy"])  # fmt: skip
        chosen = [network, layer, unit, *values.values()]

        def words(network: str, layer: str, unit: str, *numbers: Any) -> list[str]:
            rounded = dict(zip(values, map(whole, numbers), strict=True))
            return choices.typed(network, layer, str(unit or ""), rounded)

        def show_line(*chosen: Any) -> str:
            try:
                return command(words(*chosen))
            except UserError:
                return ""  # Start says why

        def climb(*chosen: Any) -> Iterator[tuple]:
            yield None, gr.skip(), "", gr.skip(), *buttons(False, False, False)
            try:
                typed = words(*chosen)
                run = Live(choices.compose(typed))
                steps = run.config.ascent.steps
                used = stage.said(f"prior: {prior_name(run.config)}")
                for shot in run.shots():
                    at = run.config.ascent.steps if shot.row else steps
                    drawn = stage.stage(shot, at, run.target.layer)
                    yield run, drawn, used, gr.skip(), *buttons(False, True, False)
            except Exception as error:
                yield None, stage.EMPTY, stage.said(sentence(error), True), gr.skip(), *buttons(True, False, False)
                return
            again = command(replaced(typed, run.changed))
            yield run, gr.skip(), used, again, *buttons(True, False, True)

        def write(run: Live | None) -> tuple:
            try:
                if run is None:
                    raise UserError("there is no picture yet: press Start")
                kept = run.keep(runs / f"explorer-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}")
            except Exception as error:
                return stage.said(sentence(error), True), gr.skip()
            return stage.said(f"kept: {kept.resolve()}"), buttons(True, False, False)[2]

        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        unqueued = {**quick, "queue": False}
        shown = [live, view, told, line, start, stop, keep]
        start.click(climb, chosen, shown, concurrency_limit=AT_ONCE, **quick)
        stop.click(lambda run: run and run.stop(), live, None, **unqueued)
        keep.click(write, live, [told, keep], **quick)  # one at a time
        network.input(lambda name: (*of_network(choices, name), choices.defaults(name)["ascent.steps"]), network,
                      [layer, unit, values["ascent.steps"]], **unqueued)  # fmt: skip
        values["start"].input(lambda name, start: of_start(choices, name, start), [network, values["start"]],
                              [values[s.key] for s in SLIDERS], **unqueued)  # fmt: skip
        layer.input(
            lambda name, layer, unit: of_layer(choices, name, layer, unit), [network, layer, unit], unit, **unqueued
        )
        unit.input(choices.layer_of, [network, layer, unit], layer, **unqueued)
        gr.on([component.change for component in chosen], show_line, chosen, line, **unqueued)
        page.load(show_line, chosen, line, **unqueued)
    return page


def sentence(error: Exception) -> str:
    """An error as the page says it; a bug keeps its traceback, in the terminal."""
    if messages.meant_for_the_user(error):
        return messages.sentence(error, "synthesize", [])
    traceback.print_exception(error)
    return f"internal error ({type(error).__name__}): see the terminal for details"


def subject(choices: Choices) -> tuple[gr.Dropdown, gr.Dropdown, gr.Dropdown]:
    """Network, layer and unit."""
    first = choices.networks[0]
    network = gr.Dropdown(choices.networks, value=first, label="network", elem_id="network")
    layer, unit = of_network(choices, first)
    unit.value = choices.unit  # as typed: it need not be one of the list
    return network, layer, unit


def of_network(choices: Choices, network: str) -> tuple[gr.Dropdown, gr.Dropdown]:
    """The layers of a network, its own in front, and the units of that."""
    layer = choices.layer(network)
    names = [(f"{each.name}  ({' × '.join(map(str, each.shape))})", each.name) for each in choices.layers(network)]
    if layer not in [name for _, name in names]:
        names.append((layer, layer))  # a token of a layer: blocks.11@cls
    listed = gr.Dropdown(names, value=layer, label="layer", elem_id="layer")
    return listed, of_layer(choices, network, layer, "")


def of_layer(choices: Choices, network: str, layer: str, unit: str) -> gr.Dropdown:
    """The units of a layer; the one that was chosen stays where the layer has it."""
    units = choices.units(network, layer)
    value = unit if unit in units or not units else units[0]
    info = "or enter: 12, conv5:12@6x6, lemon-orange, -lemon"
    return gr.Dropdown(units, value=value, label="unit", info=info, allow_custom_value=True, elem_id="unit")


def numbers(choices: Choices) -> dict[str, gr.Slider]:
    """The sliders by their key; those that the config does not have are hidden."""
    sliders: dict[str, Any] = {}
    defaults = choices.defaults(choices.networks[0])
    for s in SLIDERS:
        default = defaults[s.key]
        value = s.least if default is None else default
        sliders[s.key] = gr.Slider(min(s.least, value), max(s.most, value), value, step=s.by, label=s.label,
                                   visible=default is not None, elem_id=s.key.replace(".", "-"))  # fmt: skip
    return sliders


def groups(choices: Choices) -> dict[str, gr.Number | gr.Dropdown]:
    """What is one of a few, and the seed."""
    inputs: dict[str, Any] = {}
    defaults = choices.defaults(choices.networks[0])
    with gr.Row():
        for group, members in GROUPS.items():
            default = defaults[group]
            offered = members if default in members else (*members, default)
            inputs[group] = gr.Dropdown(list(offered), value=default, label=group, min_width=130, elem_id=group)
        inputs["seed"] = gr.Number(defaults["seed"], label="seed", precision=0, minimum=0, min_width=130,
                                   elem_id="seed")  # fmt: skip
    return inputs


def of_start(choices: Choices, network: str, start: str) -> list[Any]:
    """The sliders' values with this start; those that the config does not have stay."""
    defaults = choices.defaults(network, start)
    return [gr.skip() if defaults[slider.key] is None else defaults[slider.key] for slider in SLIDERS]


def whole(value: Any) -> Any:
    """A number from the page: 200.0 is 200."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def buttons(start: bool, stop: bool, keep: bool) -> tuple[gr.Button, gr.Button, gr.Button]:
    """The three of them, each if it can be pressed."""
    return (
        gr.Button("Start", variant="primary", interactive=start, min_width=80, elem_id="go"),
        gr.Button("Stop", interactive=stop, min_width=80, elem_id="stop"),
        gr.Button("Keep", interactive=keep, min_width=80, elem_id="keep"),
    )
