"""Settings: `params.yaml` read into validated, frozen objects.

Nothing here imports torch: the command line reads settings before it decides what to load.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)

from vad_models.errors import SettingsError

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
    "load_params",
    "validated",
]

Profile = Literal["paper", "cpu", "demo"]
"""`paper`: the published hyper-parameters, meant for a GPU. `cpu`: two cores, minutes. `demo`: two cores, seconds."""

Normalisation = Literal["none", "per_video", "sliding", "training", "causal"]

_M = TypeVar("_M", bound=BaseModel)
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


class Frozen(BaseModel):
    """Base of all settings: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class BenchmarkSettings(Frozen):
    """What `dvc repro` runs."""

    datasets: tuple[str, ...] = Field(min_length=1)
    """Datasets under `data/`; `vad data import` and `vad data synth` keep this list."""
    methods: tuple[str, ...] = Field(min_length=1)
    """Names of modules in `vad_models/methods/`."""


class DatasetSettings(Frozen):
    """How one dataset is derived, trained on and split."""

    profile: Profile = "cpu"
    """Which hyper-parameters of each method are taken."""
    seeds: tuple[int, ...] = Field(default=(0, 1, 2), min_length=1)
    """One training a seed."""
    frames: tuple[FrameSizeField, ...] = Field(default=(FrameSize(128, 192, 1),), min_length=1)
    """Frame sizes that are derived; a method takes the first unless its own settings name another."""
    holdout: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of each camera's normal training video that is kept out of training, for calibration."""
    mirror: bool = False
    """Train on mirrored video as well: only where no direction of motion is unusual."""
    cameras: Literal["each", "all"] = "each"
    """One model a camera, or one model for all of them."""


class EvaluationSettings(Frozen):
    """How a score becomes a reported number."""

    normalisation: Normalisation = "per_video"
    """Normalisation of the headline AUC; the others are reported beside it."""
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


class MethodEntry(Frozen):
    """One entry of `methods:`: the hyper-parameters of a method, or of a named variant of it, by profile.

    The key of a variant is `<method>_<variant>`, e.g. `decoupled_plain` with `variant_of: decoupled`.
    """

    variant_of: str | None = None
    """Method whose code this entry runs; none when the key itself is the method."""
    paper: dict[str, Any] | None = None
    """The published values."""
    cpu: dict[str, Any] | None = None
    """Two cores, minutes."""
    demo: dict[str, Any] | None = None
    """Two cores, seconds."""


class Params(Frozen):
    """The whole of `params.yaml`."""

    benchmark: BenchmarkSettings
    datasets: dict[str, DatasetSettings]
    evaluation: EvaluationSettings = EvaluationSettings()
    studies: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Name of a study -> its settings, which `study` validates."""
    methods: dict[str, MethodEntry]

    def method_settings(self, label: str, profile: Profile) -> dict[str, Any]:
        """Hyper-parameters of a method or variant in a profile, complete.

        `members: {<label>: [<signal>, ...]}` (of a method that combines others) gets the members' own hyper-parameters:
        `members: {<label>: {method, signals, settings}}`.

        Raises:
            SettingsError: there is no such entry, or it has no such profile.
        """
        if label not in self.methods:
            known = ", ".join(self.methods)
            raise SettingsError(
                f"there is no method {label!r} in params.yaml; the methods there are: {known}."
            )
        values: dict[str, Any] | None = getattr(self.methods[label], profile)
        if values is None:
            there = ", ".join(
                name for name in get_args(Profile) if getattr(self.methods[label], name) is not None
            )
            raise SettingsError(f"methods.{label} has no profile {profile!r}; it has: {there}.")
        if not isinstance(values.get("members"), dict):
            return values
        members = {}
        for member, signals in values["members"].items():
            settings = self.method_settings(member, profile)
            method = self.methods[member].variant_of or member
            members[member] = {"method": method, "signals": signals, "settings": settings}
        return {**values, "members": members}

    def study(self, name: str, settings: type[_S]) -> _S:
        """Settings of study `name`; the defaults of `settings` where `studies:` has no entry for it.

        Raises:
            SettingsError: a key is unknown, or a value is not allowed.
        """
        return validated(settings, self.studies.get(name, {}), f"studies.{name}")

    def dataset(self, name: str) -> DatasetSettings:
        """Settings of dataset `name`; those of `default` where it has none of its own."""
        return self.datasets.get(name) or self.datasets.get("default") or DatasetSettings()


def validated(model: type[_M], values: Mapping[str, Any], where: str) -> _M:
    """`model` made of `values`; the first thing wrong becomes a sentence that names key, value and what is allowed.

    Raises:
        SettingsError: a key is unknown, or a value has the wrong type or is out of range.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as invalid:
        first = invalid.errors()[0]
        key = ".".join(str(part) for part in (where, *first["loc"]))
        if first["type"] == "extra_forbidden":
            allowed = ", ".join(sorted(_fields_at(model, first["loc"][:-1])))
            raise SettingsError(f"{key} is not a setting; the settings there are: {allowed}.") from None
        if first["type"] == "missing":
            raise SettingsError(f"{key} is missing: add it to params.yaml.") from None
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{key} = {first['input']!r} is not allowed: {reason}.") from None


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Names of the settings at `path` inside `model`, for the message about an unknown key."""
    for part in path:
        field = model.model_fields.get(str(part))
        candidates = [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        nested = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        model = nested[0] if nested else model
    return list(model.model_fields)


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and validate `params.yaml`.

    Raises:
        SettingsError: the file is missing, is not YAML, or holds a setting that is not allowed.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"{path} is missing: run vad from the root of the project, or pass --params."
        ) from None
    except yaml.YAMLError as broken:
        raise SettingsError(f"{path} is not YAML: {' '.join(str(broken).split())}.") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path} holds {type(values).__name__}, not a mapping of settings.")
    return validated(Params, values, str(path))
