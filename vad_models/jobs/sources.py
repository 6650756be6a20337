"""Source code as definitions that use each other: parsed, never imported, and told apart by what they say.

A *definition* is a function, a class or an assignment at the top level of a module. `Sources` says which definitions
others use, and sums them up in a digest; what counts there and what does not is said at the class.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

from vad_models.jobs.statements import EFFECTS, Definition, Module, Reader, imports_of, parse, sha256

__all__ = ["Sources"]


class Sources:
    """The definitions of some packages, read from their files when they are asked for.

    A digest covers the *set* of definitions that names use, directly or through others, and of each its statements.
    So it depends neither on where a file lies, nor on the order of imports or of definitions, nor on the version of
    Python that reads it (`ast.dump` and `ast.unparse` differ between versions).

    Followed is every name that a statement reads and that resolves to a definition of the packages: in the same
    module, or imported in any way (`from a.b import c as d`, `from a import b`, `import a.b as b`, relative, inside a
    function), also by way of a package that passes it on. A class counts as a whole, with its bases. A module that is
    used as a value counts with all its definitions. What a module does when it is imported counts with any of its
    definitions. A local variable that has the name of a definition counts as a use of it: a dependency too many costs
    a training, one too few would go unnoticed.

    These do not count:

    - Comments, docstrings, layout, `__all__` and import statements. A name counts as what it stands for, so that an
      alias makes no difference.
    - Annotations of functions, arguments and variables, and blocks under `TYPE_CHECKING`: they change no number, and
      rewriting types is no reason to train again. Fields in the body of a class count with their annotations, because
      pydantic and dataclasses behave by them.
    - What an exception says. `raise` counts with the name of the exception, which is not followed: messages are
      rewritten often, and where one is raised there is no score.
    - Modules and definitions in `ignored`: these count by name alone.

    Args:
        folders: package -> the folder of its modules.
        ignored: dotted names of modules and definitions that are not followed.
    """

    def __init__(self, folders: Mapping[str, Path], ignored: Iterable[str] = ()) -> None:
        self._folders = dict(folders)
        self._ignored = frozenset(ignored)
        self._modules: dict[str, Module | None] = {}
        self._statements: dict[Definition, tuple[str, list[Definition]]] = {}

    def digest(self, names: Iterable[str]) -> str:
        """16 hexadecimal digits; equal where the statements of all definitions that `names` use are.

        Args:
            names: dotted, of definitions (`vad_models.training.train`) or of whole modules.

        Raises:
            LookupError: there is no such definition or module.
        """
        return sha256(sorted({self._digest(definition) for definition in self.closure(names)}))[:16]

    def files(self, names: Iterable[str]) -> set[Path]:
        """The files that hold the definitions that `names` use."""
        return {self._known(definition.module).path for definition in self.closure(names)}

    def closure(self, names: Iterable[str]) -> set[Definition]:
        """The definitions that `names` stand for, and those that they use, directly or through others."""
        found: set[Definition] = set()
        unread = [definition for name in names for definition in self._named(name)]
        while unread:
            definition = unread.pop()
            if definition not in found:
                found.add(definition)
                unread += self._read(definition)[1]
        return found

    def _named(self, name: str) -> list[Definition]:
        target = self._find(name)
        if isinstance(target, str):
            folders = ", ".join(str(folder) for folder in self._folders.values())
            raise LookupError(
                f"there is no {name} in {folders}: name a function, a class or a constant at the top level of a "
                "module, or a module."
            )
        return target[0]

    def _digest(self, definition: Definition) -> str:
        """Digest of a definition's statements, and of the statements of what its names stand for.

        The names alone would not do: where two modules have a `_BLOCK`, they could exchange their values unnoticed.
        """
        own, used = self._read(definition)
        return sha256([own, *(self._read(one)[0] for one in used)])

    def _read(self, definition: Definition) -> tuple[str, list[Definition]]:
        """Digest of a definition's own statements, and the definitions that their names stand for, in order."""
        if definition not in self._statements:
            module = self._known(definition.module)
            names = {one: f"{definition.module}.{one}" for one in module.definitions} | module.imports
            used: list[Definition] = []
            statements = [
                Reader(
                    names | imports_of(ast.walk(one), definition.module, module.path), self._find, used
                ).read(one)
                for one in module.definitions[definition.name]
            ]
            if EFFECTS in module.definitions:
                used.append(Definition(definition.module, EFFECTS))
            self._statements[definition] = sha256(statements), used
        return self._statements[definition]

    def _find(self, dotted: str) -> tuple[list[Definition], list[str]] | str:
        """The definitions that a dotted name stands for, and the attributes after them; its own name where none is."""
        name, *rest = dotted.split(".")
        while (module := self._module(name)) is not None:
            if name in self._ignored:
                return ".".join(rest) or name.rpartition(".")[2]
            if not rest:
                return [Definition(name, one) for one in sorted(module.definitions)], []
            part, *attributes = rest
            if part in module.definitions:
                ignored = f"{name}.{part}" in self._ignored
                return ".".join(rest) if ignored else ([Definition(name, part)], attributes)
            if module.imports.get(part, f"{name}.{part}") != f"{name}.{part}":
                return self._find(".".join([module.imports[part], *attributes]))
            name, rest = f"{name}.{part}", attributes
        return dotted

    def _known(self, name: str) -> Module:
        module = self._module(name)
        if module is None:
            raise LookupError(f"there is no module {name}.")
        return module

    def _module(self, name: str) -> Module | None:
        if name not in self._modules:
            package, *parts = name.split(".")
            stem = self._folders[package].joinpath(*parts) if package in self._folders else None
            paths = [] if stem is None else [stem / "__init__.py", stem.with_suffix(".py")]
            there = [path for path in paths if path.is_file()]
            self._modules[name] = parse(name, there[0]) if there else None
        return self._modules[name]
