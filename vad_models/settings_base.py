"""Common parts of all settings: frozen pydantic models, strict YAML, and errors that say what is allowed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from vad_models.errors import SettingsError

__all__ = ["Frozen", "closest", "read_settings", "validated"]

_FEW = 12
"""Names that an error lists."""

_MERGE = "tag:yaml.org,2002:merge"
"""Tag of `<<`, which may stand several times in a mapping."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, where PyYAML was built with it: ten times as fast."""

_M = TypeVar("_M", bound=BaseModel)


class Frozen(BaseModel):
    """Base of all settings: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def validated(model: type[_M], values: Mapping[str, Any], where: str = "", file: Path | None = None) -> _M:
    """Make `model` of `values`; the first thing wrong becomes a sentence that names key, value and what is allowed.

    Args:
        model: class of the settings.
        values: what was read.
        where: key of `values` in the file; empty where they are all of it.
        file: named in the sentence.

    Raises:
        SettingsError: a key is unknown or missing, or a value has the wrong type or is out of range.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as invalid:
        first = invalid.errors()[0]
        source = "" if file is None else f"{file}: "
        key = source + ".".join(str(part) for part in (where, *first["loc"]) if part != "")
        if first["type"] == "extra_forbidden":
            allowed = ", ".join(sorted(_fields_at(model, first["loc"][:-1])))
            raise SettingsError(f"{key} is not a setting; the settings there are: {allowed}.") from None
        if first["type"] == "missing":
            raise SettingsError(f"{key} is missing: add it there.") from None
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


def read_settings(file: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        SettingsError: the file is missing, is not YAML, holds something else, or a mapping in it has a key twice.
    """
    try:
        loader = _LOADER(file.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        _refuse_duplicates(node, file)
        values = None if node is None else loader.construct_document(node)
    except (FileNotFoundError, NotADirectoryError):
        raise SettingsError(
            f"{file} is missing: run vad from the root of the project, or pass --params."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as broken:
        raise SettingsError(f"{file} is not YAML: {' '.join(str(broken).split())}.") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{file} holds {type(values).__name__}, not a mapping of settings.")
    return values


def _refuse_duplicates(node: yaml.Node | None, file: Path) -> None:
    """Refuse a key that occurs twice, of which PyYAML would silently keep the last value."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(item, file)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in lines and key.tag != _MERGE:
            raise SettingsError(
                f"{file} has {name} in line {lines[name]} and again in line {line}: keep one of them."
            )
        lines[name] = line
        _refuse_duplicates(value, file)


def closest(name: str, known: Collection[str], where: str) -> str:
    """Complete an error about an unknown name with the closest names, or else with all names or where they are listed.

    Args:
        name: what was given.
        known: what is allowed.
        where: what lists all of them, such as `params/methods/`.
    """
    near = get_close_matches(name, known)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"{where} has {', '.join(known) or 'none'}." if len(known) <= _FEW else f"{where} lists all."
