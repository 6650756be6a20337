"""Search space of a sweep: settings of a method that take one of several values, or any value in a range."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vad_models.errors import SettingsError

if TYPE_CHECKING:
    from optuna import Trial

__all__ = ["Choices", "Range", "Varied", "combinations", "parse_varied"]

_KINDS = ("log", "uniform", "int")

_RANGE = re.compile(rf"({'|'.join(_KINDS)})\(([^,()]+),([^,()]+)\)")


@dataclass(frozen=True)
class Choices:
    """A setting that takes one of `values`, which are in YAML."""

    key: str
    values: tuple[str, ...]

    @property
    def name(self) -> str:
        """The setting as written, with its choices, because Optuna needs a different name for different choices."""
        return f"{self.key}={'|'.join(self.values)}"

    @property
    def first(self) -> str:
        """The first value as a change, `key=value`."""
        return f"{self.key}={self.values[0]}"

    def suggest(self, trial: Trial) -> str:
        """The change that a trial makes, `key=value`."""
        return f"{self.key}={trial.suggest_categorical(self.name, self.values)}"


@dataclass(frozen=True)
class Range:
    """A setting from `low` to `high`.

    `uniform` is drawn evenly, `log` evenly in the logarithm, and `int` evenly among whole numbers.
    """

    key: str
    kind: str
    low: float
    high: float

    @property
    def name(self) -> str:
        return f"{self.key}={self.kind}({self.low:g},{self.high:g})"

    @property
    def first(self) -> str:
        """The lowest value as a change, `key=value`."""
        return f"{self.key}={self._text(self.low)}"

    def suggest(self, trial: Trial) -> str:
        """The change that a trial makes, `key=value`."""
        if self.kind == "int":
            return f"{self.key}={trial.suggest_int(self.name, int(self.low), int(self.high))}"
        value = trial.suggest_float(self.name, self.low, self.high, log=self.kind == "log")
        return f"{self.key}={self._text(value)}"

    def _text(self, value: float) -> str:
        return str(int(value)) if self.kind == "int" else f"{value:.4g}"


Varied = Choices | Range


def parse_varied(text: str) -> Varied:
    """Read `key=A|B|C`, `key=uniform(LOW,HIGH)`, `key=log(LOW,HIGH)` or `key=int(LOW,HIGH)`.

    Raises:
        SettingsError: the text has none of these forms.
    """
    key, equals, values = (part.strip() for part in text.partition("="))
    if (found := _RANGE.fullmatch(values)) is not None and equals and key:
        return _range(text, key, *found.groups())
    choices = tuple(choice.strip() for choice in values.split("|"))
    if not key or not equals or len(choices) < 2 or not all(choices) or len(set(choices)) < len(choices):
        raise SettingsError(
            f"--sweep {text} is not allowed: it must be key=A|B with two or more values, key=log(LOW,HIGH), "
            "key=uniform(LOW,HIGH) or key=int(LOW,HIGH); use --set for a single value."
        )
    return Choices(key, choices)


def combinations(space: Sequence[Varied]) -> int | None:
    """Count the combinations of settings to try; None if there is a range, which has too many to list."""
    count = 1
    for varied in space:
        if isinstance(varied, Range):
            return None
        count *= len(varied.values)
    return count


def _range(text: str, key: str, kind: str, low: str, high: str) -> Range:
    try:
        bounds = float(low), float(high)
    except ValueError:
        raise SettingsError(
            f"--sweep {text} is not allowed: the bounds of {kind} must be numbers, such as log(1e-4,1e-2)."
        ) from None
    whole = kind != "int" or all(bound.is_integer() for bound in bounds)
    if not bounds[0] < bounds[1] or (kind == "log" and bounds[0] <= 0) or not whole:
        needs = {"log": "above 0 and ", "int": "whole numbers and "}.get(kind, "")
        raise SettingsError(
            f"--sweep {text} is not allowed: the bounds of {kind} must be {needs}in ascending order."
        )
    return Range(key, kind, *bounds)
