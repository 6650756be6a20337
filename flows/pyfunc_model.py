"""The module that models registered before version 0.2 name; `flows.registry.pyfunc_model` took its place."""

from flows.registry.pyfunc_model import _load_pyfunc

__all__ = ["_load_pyfunc"]
