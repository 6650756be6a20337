"""The version of the code that a method's scores come from: part of every job's fingerprint.

What counts is the method, what trains and scores it, and the layers that these import; and of these, the statements:
a comment, a docstring or a line that is wrapped anew changes no score, and so no trained model.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from functools import cache
from pathlib import Path
from typing import Any

from vad_models import (
    contract,
    ddp,
    layers,
    scoring,
    streaming,
    training,
)
from vad_models.data import clips
from vad_models.evaluation import label_free
from vad_models.methods import method_class

__all__ = ["code_version", "statements_digest"]


def code_version(method: str) -> str:
    """16 hexadecimal digits; equal where the statements of all sources of `method` are."""
    digest = hashlib.sha256()
    for path in sorted(_sources(method)):
        digest.update(statements_digest(path.read_bytes()).encode())
    return digest.hexdigest()[:16]


@cache
def statements_digest(source: bytes) -> str:
    """Digest of a module's statements; comments, docstrings and layout do not count.

    It is the same in all versions of Python that read the module. `ast.dump` would not do: 3.12 adds fields to nodes,
    and 3.13 leaves empty ones out. Nor would `ast.unparse`: its spelling (quotes in f-strings) changes with them too.
    """
    return hashlib.sha256(repr(_statements(ast.parse(source))).encode()).hexdigest()


def _statements(node: Any) -> Any:
    """A syntax tree as nested lists, without fields that are empty and without strings that stand alone."""
    if isinstance(node, ast.AST):
        fields = [(name, value) for name, value in ast.iter_fields(node) if value is not None and value != []]
        return [type(node).__name__, *((name, _statements(value)) for name, value in fields)]
    if isinstance(node, list):
        return [_statements(item) for item in node if not _is_docstring(item)]
    return ascii(node)  # which characters `repr` shows as they are depends on the version of Unicode


def _is_docstring(node: Any) -> bool:
    """Of a module, a class, a function, or, by custom, of the attribute above it."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _sources(method: str) -> set[Path]:
    """Files of a method, of what trains and scores it, and of the layers that these use."""
    shared = (clips, contract, ddp, label_free, scoring, streaming, training)
    files = {Path(inspect.getfile(source)) for source in (method_class(method), *shared)}
    unread = list(files)
    while unread:
        found = _imported_layers(unread.pop().read_bytes()) - files
        files |= found
        unread += found
    return files


@cache
def _imported_layers(source: bytes) -> set[Path]:
    """Files in `vad_models/layers/` that a module imports."""
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    modules = [node.module or "" for node in imports]
    folder = Path(layers.__file__).parent
    return {
        folder / f"{module.removeprefix(f'{layers.__name__}.')}.py"
        for module in modules
        if module.startswith(f"{layers.__name__}.")
    }
