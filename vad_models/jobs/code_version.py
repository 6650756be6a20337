"""The version of the code that a method's scores come from: part of every job's fingerprint.

What counts is the statements that shape a job's numbers: those of the method, of what builds, trains and scores it,
and of everything in `vad_models` that these use, wherever it lies. A comment, a docstring, another order of imports or
a file that is moved changes no score, and so no trained model. `vad_models.jobs.sources` says what else does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from vad_models.jobs.sources import Sources

__all__ = ["code_sources", "code_version", "definitions_digest", "installed", "source_tree"]

_SHARED = (
    "vad_models.methods.build_method",
    "vad_models.jobs.job.split_training",
    "vad_models.training.train",
    "vad_models.scoring.score_excerpts",
    "vad_models.scoring.gflop_per_frame",
    "vad_models.evaluation.label_free.label_free_auc",
)
"""Code that gives every job its numbers, in addition to the method. Times are left out: code does not determine them.

Measuring is left out too: metrics are computed again from stored scores, without a training.
"""

_IGNORED = (
    "vad_models.errors",
    "vad_models.data.parallel",
    "vad_models.data.files",
    "vad_models.devices",
    "vad_models.methods.method_class",
    "vad_models.settings_base.closest",
    "vad_models.settings_base.validated",
)
"""Code that is ignored: errors, progress bars and processes, how files are written, how a method is found (its own
statements count already), how settings are checked (their values are in the fingerprint), and what a job may use of a
machine.
"""


def code_version(method: str, sources: Sources | None = None) -> str:
    """Return 16 hexadecimal digits, equal if and only if all statements that shape the numbers of `method` are equal.

    Args:
        method: name of its module in `vad_models/methods/`.
        sources: code to look at; None means the installed one.
    """
    return (sources or installed()).digest(_entries(method))


def code_sources(method: str, sources: Sources | None = None) -> set[Path]:
    """The files whose statements `code_version` covers."""
    return (sources or installed()).files(_entries(method))


def definitions_digest(*objects: Callable[..., Any] | type) -> str:
    """16 hexadecimal digits; equal where the statements of `objects`, and of all that they use, are.

    Args:
        objects: functions and classes of this project, defined at the top level of a module.

    Raises:
        LookupError: an object is defined elsewhere.
    """
    names = [f"{one.__module__}.{one.__qualname__.partition('.')[0]}" for one in objects]
    return installed(*sorted({name.partition(".")[0] for name in names})).digest(names)


def source_tree(folders: Mapping[str, Path]) -> Sources:
    """The sources in `folders` (package -> folder), without following what shapes no number."""
    return Sources(folders, _IGNORED)


@cache
def installed(*packages: str) -> Sources:
    """The sources of `vad_models` and of `packages`, where Python imports them from; read once a process."""
    files = {package: import_module(package).__file__ for package in ("vad_models", *packages)}
    return source_tree({package: Path(file).parent for package, file in files.items() if file is not None})


def _entries(method: str) -> list[str]:
    return [f"vad_models.methods.{method}", *_SHARED]
