"""Settings of the methods: a file per method, `params/methods/<method>.yaml`, with its profiles and its variants."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from vad_models.errors import SettingsError
from vad_models.settings_base import Frozen, read_settings, validated

__all__ = ["PROFILES", "MethodEntry", "Profile", "changed", "load_methods"]

Profile = Literal["paper", "cpu", "demo"]
"""`paper`: the published hyper-parameters, meant for a GPU. `cpu`: two cores, minutes. `demo`: two cores, seconds."""

PROFILES: tuple[Profile, ...] = get_args(Profile)

Values = dict[str, Any]


class _Profiles(Frozen):
    paper: Values | None = None
    """The published values."""
    cpu: Values | None = None
    """Two cores, minutes."""
    demo: Values | None = None
    """Two cores, seconds."""

    def of(self, profile: Profile) -> Values | None:
        """The values of a profile; None where there are none."""
        values: Values | None = getattr(self, profile)
        return values


class Variant(_Profiles):
    """Changes of a variant to its method; a dot reaches into a group: `training.sequence: 10`."""

    changes: Values = Field(default_factory=dict)
    """In every profile that the method has; those of a profile come on top."""


class MethodFile(_Profiles):
    """The whole of `params/methods/<method>.yaml`."""

    variants: dict[str, Variant] = Field(default_factory=dict)
    """Name of a variant -> its changes. The variant `plain` of `decoupled` has the label `decoupled_plain`."""


class MethodEntry(_Profiles):
    """Hyper-parameters of a method or variant, complete, by profile."""

    method: str
    """Name of the module in `vad_models/methods/`."""
    file: Path = Path()
    """File of the settings, for messages."""


def load_methods(folder: Path) -> dict[str, MethodEntry]:
    """Read a file per method; returns methods and variants by label, each method before its variants.

    Args:
        folder: `params/methods/`.

    Raises:
        SettingsError: there is no file, one is not a file of a method's settings, or a label stands for two.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise SettingsError(f"{folder} has no settings of methods: each has a file there, <method>.yaml.")
    entries: dict[str, MethodEntry] = {}
    for file in files:
        for label, entry in _read_method(file).items():
            if label in entries:
                raise SettingsError(
                    f"{label} stands for two, in {entries[label].file} and in {entry.file}: rename one of them."
                )
            entries[label] = entry
    return entries


def _read_method(file: Path) -> dict[str, MethodEntry]:
    method, content = file.stem, validated(MethodFile, read_settings(file), file=file)
    profiles = {profile: content.of(profile) for profile in PROFILES}
    entries = {method: MethodEntry(method=method, file=file, **profiles)}
    for name, variant in content.variants.items():
        for profile in PROFILES:
            if variant.of(profile) is not None and profiles[profile] is None:
                raise SettingsError(
                    f"{file}: variants.{name}.{profile} changes a profile that {method} does not have."
                )
        values = {
            profile: changed(
                base, {**variant.changes, **(variant.of(profile) or {})}, f"{file}: variants.{name}"
            )
            for profile, base in profiles.items()
            if base is not None
        }
        entries[f"{method}_{name}"] = MethodEntry(method=method, file=file, **values)
    return entries


def changed(settings: Values, changes: Mapping[str, Any], where: str) -> Values:
    """A copy of settings with other values; whether there are such settings is the method's to say.

    Args:
        settings: of a method.
        changes: value by key; a dot reaches into a group, as in `training.epochs`, and a key without one replaces
            all of its value.
        where: of the changes, for the message.

    Raises:
        SettingsError: a key is empty, or reaches into what is a single value.
    """
    result = deepcopy(settings)
    for name, value in changes.items():
        *groups, key = name.split(".")
        if not all((*groups, key)):
            raise SettingsError(f"{where}: {name!r} is not of the form key or group.key.")
        inner = result
        for group in groups:
            inner = inner.setdefault(group, {})
            if not isinstance(inner, dict):
                raise SettingsError(f"{where}: {name} is not a setting, for {group} is one value, {inner!r}.")
        inner[key] = deepcopy(value)
    return result
