"""Modules whose tensors have the sizes that training gave them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Resizable"]


class Resizable(nn.Module):
    """A module that takes over the shapes of the tensors that it loads; nothing it holds is trained by gradient."""

    def assign(self, name: str, values: Tensor) -> None:
        """Replace a parameter or buffer of the module by one of any shape."""
        if name in self._parameters:
            self._parameters[name] = nn.Parameter(values, requires_grad=False)
        else:
            self._buffers[name] = values

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:
        for name, old in {**self._parameters, **self._buffers}.items():
            saved = state_dict.get(prefix + name)
            if old is not None and saved is not None and saved.shape != old.shape:
                self.assign(name, torch.empty(saved.shape, dtype=old.dtype, device=old.device))
        super()._load_from_state_dict(state_dict, prefix, *args)
