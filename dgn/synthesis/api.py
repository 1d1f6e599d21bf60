"""Synthesis from Python: `dgn.synthesize` for one call, `dgn.Synthesizer` to load once and call often."""

import io
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from hydra.errors import InstantiationException
from omegaconf import DictConfig
from torch import nn

from dgn import report
from dgn.base import process
from dgn.base.errors import UserError
from dgn.base.files import claim
from dgn.base.memo import Memo
from dgn.generators.bundle import Bundle
from dgn.generators.settings import DecoderSettings
from dgn.networks.preserve_state import preserve_state
from dgn.settings import messages, renamed
from dgn.settings.check import check
from dgn.settings.keywords import configured, plain_value
from dgn.synthesis import run
from dgn.synthesis.pictures import Pictures
from dgn.synthesis.settings import SynthesizeSettings

OF_THE_NETWORK = {"steps": "ascent", "max_mahalanobis": "prior"}  # keys of a target, and what takes them over


class Synthesizer:
    """A network and a prior, loaded once for many calls; a call costs little more than the climb.

    Args:
        target: a live network, which is left unchanged; the import path of a class; or the name of a member of
            conf/network.
        words: command-line settings, such as "start=image".
        verbose: print what the command prints.
        quiet: also show no progress bar.
        settings: any setting of conf/synthesize.yaml, see `synthesize`. They apply to all calls.

    Raises UserError, one sentence, for a mistake in the request.
    """

    def __init__(
        self, target: nn.Module | str, /, *words: str, verbose: bool = False, quiet: bool = False, **settings: Any
    ) -> None:
        if "output" in settings:
            raise UserError("output belongs to a single call: set it there, .synthesize(units, output=DIR)")
        self.target, self.verbose, self.quiet = target, verbose, quiet
        self._words, self._settings, self._memo = words, settings, Memo()
        self._config(None, (), {})  # a mistake is reported now, not at the first call

    def synthesize(
        self,
        units: Any = None,
        *words: str,
        output: Path | str | None = None,
        verbose: bool | None = None,
        quiet: bool | None = None,
        **settings: Any,
    ) -> Pictures:
        """Pictures of some units, equal to those of `dgn.synthesize`; same arguments.

        Settings of a call override those of the object. Networks are reloaded only if one of their settings or weights
        files has changed.
        """
        config, prior = self._config(units, words, settings)
        if config.panels:
            raise UserError(f"these settings have {len(config.panels)} panels ({', '.join(config.panels)}): synthesize "
                            "one panel at a time, or run dgn synthesize")  # fmt: skip
        live = self.target if isinstance(self.target, nn.Module) else None
        quiet = self.quiet if quiet is None else quiet
        talk = (self.verbose if verbose is None else verbose) and not quiet
        log = _Log(sys.stdout if talk else None)
        with process.restored(), TemporaryDirectory() as scratch, _untouched(live), redirect_stdout(log):
            folder = Path(scratch if output is None else output).expanduser()
            config = config.model_copy(update={"output": str(folder)})
            try:
                with claim(folder, config.resume):
                    if live is not None:
                        live.cpu()
                    run.synthesize(config, folder, live, prior, self._memo, bar=not quiet)
                    page = None if output is None else report.write_page([folder], folder, config.title)
            except InstantiationException as error:  # what a class of the config raises
                if not messages.meant_for_the_user(error):
                    raise
                raise UserError(messages.sentence(error, "synthesize", words)) from None
            return Pictures.read(folder, page, log.getvalue())

    def _config(
        self, units: Any, words: Sequence[str], settings: Mapping[str, Any]
    ) -> tuple[SynthesizeSettings, Bundle | None]:
        """The checked settings of a call, and the prior if it is an object."""
        bundle, keywords = _bundle([self._settings, settings])
        config, choices = configure(self.target, units, [*self._words, *words], *keywords)
        if bundle is not None:
            if choices["generator"] != "bundle":
                raise UserError(f"both a bundle and generator={choices['generator']} are set: leave one out")
            live = DecoderSettings.of_live(_path(getattr(bundle.generator, "network", bundle.generator)))
            config = config.model_copy(update={"generator": live})
        return config, bundle

    def __repr__(self) -> str:
        name = type(self.target).__name__ if isinstance(self.target, nn.Module) else self.target
        return f"Synthesizer({name})"


def synthesize(
    target: nn.Module | str,
    /,
    units: Any = None,
    *words: str,
    output: Path | str | None = None,
    verbose: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> Pictures:
    """Pictures of what units of a network want to see.

        synthesize(net, [3, "layer4.1:7@center"], seeds=4, ascent={"steps": 100}, input={"size": 64})
        synthesize("caffenet64", "lemon", prior="box", objective="margin")
        synthesize("caffenet64", "lemon", "start=image", start={"path": "cup.jpg"})

    Args:
        target: a live network, which is left unchanged; the import path of a class; or the name of a member of
            conf/network.
        units: as on the command line: "lemon", 12, "layer4.1:3@center", "0.5*lemon+0.5*goldfish", or several in a
            list, a range, an array or a tensor. None: those of the settings, such as units_file.
        words: command-line settings: "seeds=4", "ascent.steps=100". Keywords override them.
        output: a folder for everything that the command writes. None keeps no files.
        verbose: print what the command prints. By default a call only shows a progress bar, on stderr.
        quiet: also show no progress bar.
        settings: any key of conf/synthesize.yaml, nested or dotted: ascent={"steps": 50} or
            **{"ascent.steps": 50}. Text chooses a member of a group: prior="box", ascent="adam", start="image". Keys of
            the target (conf/network_base.yaml) need no prefix: layer, classes, weights, args, input={"size": 64}.
            `steps` and `max_mahalanobis` are the network's defaults; the same keys of ascent and prior override them.
            prior or bundle may be an object from `dgn.load_bundle` or `dgn.decoder`.

    Process-wide settings are restored afterwards, see `dgn.base.process.restored`. Raises UserError, one sentence, for
    a mistake in the request.
    """
    return Synthesizer(target, verbose=verbose, quiet=quiet).synthesize(units, *words, output=output, **settings)


def configure(
    target: nn.Module | str | None, units: Any, words: Sequence[str], *keywords: Mapping[str, Any]
) -> tuple[SynthesizeSettings, dict[str, Any]]:
    """The command's settings, checked as the command checks them, and the member chosen of every group.

    If None, `target` and `units` come from `words`. Later `keywords` override earlier ones.
    """
    live = isinstance(target, nn.Module)
    if not (live or target is None or isinstance(target, str)):
        what = f"the class {target.__name__}" if isinstance(target, type) else f"a {type(target).__name__}"
        raise UserError(f"the target is {what}: pass a network, MyNet(), or a name such as 'caffenet64'")
    for word in words:
        if not isinstance(word, str):
            raise UserError(f"{word!r} is not a setting such as 'seeds=4': pass several units as one list, [3, 5]")
    name = target if isinstance(target, str) else "torch.nn.Module" if live else ""  # a live one's is put in below
    chosen = [f"target._target_={name}" if "." in name else f"network@target={name}"] if name else []
    if name and any(isinstance(keys.get("target"), str) for keys in keywords):
        raise UserError("target is given twice, first and as target='…': leave out the second")
    composed = configured("synthesize", [*chosen, *words], keywords, role="target")
    config = composed.config
    if units is not None:
        config.units = plain_value(units, "units")
    if live:
        config.target._target_ = _path(target)  # no word: the path of a local class cannot be typed
        if not any("name" in keys or "target.name" in keys for keys in keywords):
            config.target.name = f"{type(target).__name__} (live)"
    checked = check(composed, SynthesizeSettings)
    _check_taken_over(config, keywords)
    return checked, composed.choices


def _check_taken_over(config: DictConfig, keywords: Sequence[Mapping[str, Any]]) -> None:
    """UserError for a default of the network that this run does not take over."""
    for key, part in OF_THE_NETWORK.items():
        names = {key, *(old for old, new in renamed.NETWORK.items() if new == key)}
        values = [keys[name] for keys in keywords for name in names if name in keys]
        inside = [name for keys in keywords if isinstance(keys.get(part), Mapping) for name in keys[part]]
        dotted = [name.removeprefix(f"{part}.") for keys in keywords for name in keys if name.startswith(f"{part}.")]
        if values and not names & {*inside, *dotted} and config[part].get(key) != config.target[key]:
            raise UserError(f"{key}={values[-1]} has no effect, because {part}.{key} does not follow the network: set "
                            f"{part}={{'{key}': …}} instead")  # fmt: skip


def _bundle(settings: Sequence[Mapping[str, Any]]) -> tuple[Bundle | None, list[dict[str, Any]]]:
    """The prior that is an object, if the last that was named is one, and the settings without it."""
    bundle: Bundle | None = None
    for keys in settings:
        objects = [keys[key] for key in ("prior", "bundle") if isinstance(keys.get(key), Bundle)]
        if len(objects) > 1:
            raise UserError("prior and bundle are both bundles: leave one out")
        if objects or keys.get("bundle") is not None:
            bundle = objects[0] if objects else None
    return bundle, [{k: v for k, v in keys.items() if not isinstance(v, Bundle)} for keys in settings]


def _untouched(network: nn.Module | None) -> AbstractContextManager[Any]:
    return nullcontext() if network is None else preserve_state(network)


def _path(network: Any) -> str:
    return f"{type(network).__module__}.{type(network).__qualname__}"


class _Log(io.StringIO):
    """Keeps what is printed, and prints it as well if it has a stream for it."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self.stream = stream

    def write(self, text: str) -> int:
        if self.stream:
            self.stream.write(text)
        return super().write(text)
