"""The API reference, from docstrings: python docs/reference.py build/docs. A warning is an error.

It has what `import dgn` offers and the modules with the base classes of CONTRIBUTING.md's extension points.
"""

import inspect
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import get_type_hints

import dgn

EXTENSION_POINTS = {  # module: what one subclasses, calls or looks like
    "dgn.synthesis.priors": ("Prior",),
    "dgn.synthesis.ascent": ("NormalisedGradient", "climb_adam"),
    "dgn.synthesis.transforms": ("Transforms",),
    "dgn.synthesis.evolution": ("Sampler",),
    "dgn.synthesis.stimulus": ("Stimulus",),
    "dgn.units.objective": ("Objective",),
    "dgn.synthesis.initial_code": ("Noise",),
    "dgn.generators.base": ("Generator",),
    "dgn.generators.moments": ("Moments",),
    "dgn.generators.bundle": ("Bundle",),
    "dgn.data.sources": ("Source",),
    "dgn.training.losses": ("mean_square", "relative", "Hinge"),
    "dgn.training.deepsim": ("DeepsimTraining",),
    "dgn.loggers.log": ("Log",),
}


def write(folder: Path) -> None:
    """Write one HTML page a module, an index and the search index; no page loads anything from elsewhere."""
    import pdoc

    for name in dgn.__all__:  # pdoc reads a module's own dictionary, and dgn imports on demand
        vars(dgn)[name] = getattr(dgn, name)
    for module in (dgn, *map(import_module, EXTENSION_POINTS)):
        for function in functions(module):  # types without the constraints that settings are checked against
            function.__annotations__ = get_type_hints(function)
    pdoc.render.configure(docformat="google", show_source=False, include_undocumented=False, footer_text="dgn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pdoc.pdoc("dgn", *EXTENSION_POINTS, output_directory=folder)


def functions(holder: ModuleType | type) -> Iterator[FunctionType]:
    """The functions in a module and the methods in its classes, those from outside dgn left out."""
    for value in vars(holder).values():
        if inspect.isclass(value) and value.__module__.startswith("dgn.") and not inspect.isclass(holder):
            yield from functions(value)
        elif isinstance(value, FunctionType) and value.__module__.startswith("dgn."):
            yield value


if __name__ == "__main__":
    write(Path(sys.argv[1]))
    print(f"API reference: {Path(sys.argv[1]) / 'index.html'}")
