"""Python source as statements that count: what a module defines and imports, and a statement as nested lists.

`ast.dump` and `ast.unparse` would not do: what they say of the same source differs between versions of Python.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["EFFECTS", "Definition", "Module", "Reader", "imports_of", "parse", "sha256"]

EFFECTS = "(statements)"
"""Stands for the statements of a module that define nothing, such as a call."""

_COMPOUND = (ast.If, ast.Try, ast.With, ast.For, ast.While, ast.Match)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_TYPES = {"annotation", "returns", "type_params", "type_comment"}
"""Fields of syntax trees that hold types; `kind` (below) is a prefix of strings that means nothing."""


@dataclass(frozen=True)
class Definition:
    """The name `name` at the top level of `module`."""

    module: str
    name: str


@dataclass
class Module:
    """A parsed module: the statements that define its names, and what its imports stand for."""

    path: Path
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    """Name -> what it stands for, dotted: `F` -> `torch.nn.functional`."""


def parse(name: str, path: Path) -> Module:
    """Read the module `name` from `path`."""
    module = Module(path)
    for statement in ast.parse(path.read_bytes()).body:
        if _is_guard(statement) or _is_docstring(statement):
            continue
        if not isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            module.imports |= imports_of(ast.walk(statement), name, path)
        if isinstance(statement, ast.Import | ast.ImportFrom):
            continue
        bound = _bound(statement)
        for one in bound or {EFFECTS}:
            module.definitions.setdefault(one, []).append(statement)
        if bound and isinstance(statement, _COMPOUND):
            module.definitions.setdefault(EFFECTS, []).append(statement)
    module.definitions.pop("__all__", None)
    return module


def _is_guard(statement: ast.stmt) -> bool:
    """Whether a block is for type checkers, or for a module that is run as a script."""
    return isinstance(statement, ast.If) and ast.unparse(statement.test) in {
        "TYPE_CHECKING",
        "typing.TYPE_CHECKING",
        "__name__ == '__main__'",
    }


def _is_docstring(node: Any) -> bool:
    """Whether a node is the docstring of a module, a class, a function, or, by custom, of the attribute above it."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _bound(statement: ast.stmt) -> set[str]:
    """Names that a statement at the top level defines."""
    if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, ast.Assign):
        targets: list[ast.AST] = list(statement.targets)
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    else:
        targets = [statement] if isinstance(statement, _COMPOUND) else []
    nodes = [node for target in targets for node in ast.walk(target)]
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names | {node.name for node in nodes if isinstance(node, (*_FUNCTIONS, ast.ClassDef))}


def imports_of(nodes: Iterable[ast.AST], module: str, path: Path) -> dict[str, str]:
    """Name -> what it stands for, of the imports among `nodes`."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            names |= {alias.asname or alias.name: f"{source}.{alias.name}" for alias in node.names}
    return names


@dataclass(frozen=True)
class Reader:
    """Reads a syntax tree as nested lists, without what does not count.

    Attributes:
        names: name at the top level of the module, or imported -> what it stands for, dotted.
        find: the definitions that a dotted name stands for, and the attributes after them; or what to call it.
        used: gets the definitions that the statements use, in order.
    """

    names: Mapping[str, str]
    find: Callable[[str], tuple[list[Definition], list[str]] | str]
    used: list[Definition]

    def read(self, node: Any, in_class: bool = False) -> Any:
        """The node as nested lists; `in_class` where it is in the body of a class."""
        if isinstance(node, list):
            kept = [item for item in node if not _does_not_count(item, in_class)]
            return [self.read(item, in_class) for item in kept]
        if not isinstance(node, ast.AST):
            return ascii(node)  # which characters `repr` shows as they are depends on the version of Unicode
        if (chain := _dotted(node)) is not None and chain.partition(".")[0] in self.names:
            return self._resolved(chain)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            return ["Raise", self._own_name(node.exc.func)]
        if isinstance(node, ast.Global):
            return ["Global", *(self._resolved(name) for name in node.names)]
        if isinstance(node, ast.AnnAssign) and node.value is not None and not in_class:
            return self.read(ast.Assign([node.target], node.value))
        inside = isinstance(node, ast.ClassDef) or (
            in_class and not isinstance(node, (*_FUNCTIONS, ast.Lambda))
        )
        fields = [
            (name, value)
            for name, value in ast.iter_fields(node)
            if value is not None
            and value != []
            and (name not in {*_TYPES, "kind"} or isinstance(node, ast.AnnAssign))
        ]
        return [type(node).__name__, *((name, self.read(value, inside)) for name, value in fields)]

    def _resolved(self, chain: str) -> Any:
        target = self.find(self._stands_for(chain))
        if isinstance(target, str):
            return target
        definitions, attributes = target
        self.used.extend(definitions)
        return [[one.name for one in definitions], *attributes]

    def _own_name(self, node: ast.expr) -> Any:
        chain = _dotted(node)
        return self.read(node) if chain is None else self._stands_for(chain).rpartition(".")[2]

    def _stands_for(self, chain: str) -> str:
        root, *attributes = chain.split(".")
        return ".".join([self.names.get(root, root), *attributes])


def _does_not_count(item: Any, in_class: bool) -> bool:
    declares = isinstance(item, ast.AnnAssign) and item.value is None and not in_class
    return declares or _is_docstring(item) or isinstance(item, ast.Import | ast.ImportFrom)


def _dotted(node: Any) -> str | None:
    """`a.b.c`, where a node reads just that."""
    if isinstance(node, ast.Name):
        return node.id if isinstance(node.ctx, ast.Load) else None
    if isinstance(node, ast.Attribute) and (chain := _dotted(node.value)) is not None:
        return f"{chain}.{node.attr}"
    return None


def sha256(statements: Any) -> str:
    """Digest of nested lists, 64 hexadecimal digits."""
    return hashlib.sha256(repr(statements).encode()).hexdigest()
