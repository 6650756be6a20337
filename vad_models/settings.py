"""Settings: `params.yaml` and `params/methods/*.yaml`, read into validated, frozen objects.

Nothing here imports torch: the command line reads settings before it decides what to load.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BeforeValidator, Field, PlainSerializer

from vad_models.errors import SettingsError
from vad_models.method_settings import PROFILES, MethodEntry, Profile, changed, load_methods
from vad_models.settings_base import Frozen, closest, read_settings, validated

__all__ = [
    "BenchmarkSettings",
    "DatasetSettings",
    "EvaluationSettings",
    "FrameSize",
    "Frozen",
    "MethodEntry",
    "Params",
    "Profile",
    "StudySettings",
    "changed",
    "closest",
    "load_params",
    "validated",
]

Deployable = Literal["training", "causal"]
"""Normalisations that use no future frames of the video (`vad_models.evaluation.normalisation`)."""

_S = TypeVar("_S", bound="StudySettings")


class FrameSize(NamedTuple):
    """Size of a stored frame, in pixels; written `HxWxC`, e.g. `128x192x1`. C is 1 (luma) or 3 (RGB)."""

    height: int
    width: int
    channels: int

    def __str__(self) -> str:
        return f"{self.height}x{self.width}x{self.channels}"

    @classmethod
    def parse(cls, text: str) -> FrameSize:
        """Read `HxWxC`.

        Raises:
            ValueError: the text is not of that form, a side is not a positive multiple of 8, or C is not 1 or 3.
        """
        match = re.fullmatch(r"(\d+)x(\d+)x([13])", text)
        if match is None:
            raise ValueError(
                f"a frame size is HEIGHTxWIDTHxCHANNELS with 1 or 3 channels, like 128x192x1, not {text!r}"
            )
        height, width, channels = (int(group) for group in match.groups())
        if height % 8 or width % 8 or not height or not width:
            raise ValueError(
                f"height and width of a frame size must be positive multiples of 8, not {text!r}"
            )
        return cls(height, width, channels)


def _as_frame_size(value: object) -> object:
    return FrameSize.parse(value) if isinstance(value, str) else value


FrameSizeField = Annotated[FrameSize, BeforeValidator(_as_frame_size), PlainSerializer(str)]


class BenchmarkSettings(Frozen):
    """The benchmark that `dvc repro` runs."""

    datasets: tuple[str, ...] = Field(min_length=1)
    """Datasets under `data/`; `vad data import` and `vad data synth` keep this list."""
    methods: tuple[str, ...] = Field(min_length=1)
    """Labels: of a method, the name of its file in `params/methods/`; of a variant, `<method>_<variant>`."""


class DatasetSettings(Frozen):
    """Settings of one dataset: how it is derived, trained on and split."""

    profile: Profile = "cpu"
    """Profile of each method's hyper-parameters."""
    seeds: tuple[int, ...] = Field(default=(0, 1, 2), min_length=1)
    """One training per seed."""
    frames: tuple[FrameSizeField, ...] = Field(default=(FrameSize(128, 192, 1),), min_length=1)
    """Frame sizes that are derived; a method takes the first unless its own settings name another."""
    holdout: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of each camera's normal training video that is kept out of training, for calibration."""
    mirror: bool = False
    """Train on mirrored video as well; only suitable if no direction of motion is unusual."""
    cameras: Literal["each", "all"] = "each"
    """One model per camera, or one model for all of them."""


class EvaluationSettings(Frozen):
    """Settings that turn scores into reported numbers."""

    normalisation: Deployable = "training"
    """Normalisation of the headline AUC, by which champions are chosen; `per_video` is reported next to it."""
    bootstrap: int = Field(default=1000, ge=0)
    """Resamples over videos for the interval of an AUC; 0 reports none."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Coverage of every interval."""
    sliding_window: int = Field(default=300, ge=2)
    """Frames of the window of the `sliding` normalisation (Abati et al. 2019), past and future alike."""
    false_alarms_per_hour: float = Field(default=6.0, gt=0)
    """Budget that the label-free threshold is calibrated for on held-out normal video."""


class StudySettings(Frozen):
    """Base of the settings of a study, an entry of `studies:`. Each study has a class of its own (`flows/studies/`)."""

    methods: tuple[str, ...] = ()
    """Labels of methods or variants; empty means those of `benchmark.methods`."""


class Params(Frozen):
    """All settings: the whole of `params.yaml`, and the methods' own files."""

    benchmark: BenchmarkSettings
    datasets: dict[str, DatasetSettings]
    evaluation: EvaluationSettings = EvaluationSettings()
    studies: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Name of a study -> its settings, which `study` validates."""
    methods: dict[str, MethodEntry]
    """Methods and variants by label, from `params/methods/`."""

    def method(self, label: str) -> MethodEntry:
        """The entry of a method or variant.

        Raises:
            SettingsError: there is no such method or variant.
        """
        if label not in self.methods:
            near = closest(label, self.methods, "params/methods/")
            raise SettingsError(f"there is no method or variant {label!r}: {near}")
        return self.methods[label]

    def method_settings(self, label: str, profile: Profile) -> dict[str, Any]:
        """Hyper-parameters of a method or variant in a profile, complete.

        `members: {<label>: [<signal>, ...]}` (of a method that combines others) gets the members' own hyper-parameters:
        `members: {<label>: {method, signals, settings}}`.

        Raises:
            SettingsError: there is no such method or variant, or it has no such profile.
        """
        entry = self.method(label)
        values = entry.of(profile)
        if values is None:
            there = ", ".join(name for name in PROFILES if entry.of(name) is not None)
            raise SettingsError(
                f"{entry.file}: {label} has no profile {profile!r}; it has: {there or 'none'}."
            )
        if not isinstance(values.get("members"), dict):
            return values
        members = {
            member: {
                "method": self.method(member).method,
                "signals": signals,
                "settings": self.method_settings(member, profile),
            }
            for member, signals in values["members"].items()
        }
        return {**values, "members": members}

    def study(self, name: str, settings: type[_S]) -> _S:
        """Return the settings of study `name`, or the defaults of `settings` if `studies:` has no entry for it.

        Raises:
            SettingsError: a key is unknown, or a value is not allowed.
        """
        return validated(settings, self.studies.get(name, {}), f"studies.{name}")

    def dataset(self, name: str) -> DatasetSettings:
        """Return the settings of dataset `name`, or those of `default` if it has none."""
        return self.datasets.get(name) or self.datasets.get("default") or DatasetSettings()


def load_params(file: Path = Path("params.yaml")) -> Params:
    """Read and validate `params.yaml`, or another file in its place, and `params/methods/*.yaml` next to it.

    Raises:
        SettingsError: a file is missing, is not YAML, or holds a setting that is not allowed.
    """
    values = read_settings(file)
    folder = file.parent / "params" / "methods"
    if "methods" in values:
        raise SettingsError(
            f"{file}: methods is not a setting there: each method has a file of its own, {folder}/<method>.yaml."
        )
    return validated(Params, {**values, "methods": load_methods(folder)}, file=file)
