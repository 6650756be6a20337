"""Python source as statements: what a module defines and imports, and which differences of a statement count.

What follows from them for whole packages is tested in test_sources.py.
"""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from typing import Any

import pytest

from vad_models.jobs.statements import EFFECTS, Definition, Module, Reader, imports_of, parse, sha256


def parsed(folder: Path, source: str, file: str = "toy.py") -> Module:
    path = folder / file
    path.write_text(textwrap.dedent(source))
    return parse("package.toy", path)


def read(source: str, names: dict[str, str] | None = None) -> tuple[Any, list[Definition]]:
    """The first statement as lists, and what it uses; names of `package` are definitions, others are not."""

    def find(name: str) -> tuple[list[Definition], list[str]] | str:
        package, _, rest = name.partition(".")
        if package != "package":
            return name
        module, defined, *attributes = rest.split(".")
        return [Definition(module, defined)], attributes

    used: list[Definition] = []
    statement = ast.parse(textwrap.dedent(source)).body[0]
    return Reader(names or {}, find, used).read(statement), used


@pytest.mark.parametrize(
    ("source", "defined"),
    [
        ("def f(): pass", {"f"}),
        ("async def f(): pass", {"f"}),
        ("class C: x = 1", {"C"}),
        ("a = b = 1", {"a", "b"}),
        ("a, (b, *c) = 1, (2, 3)", {"a", "b", "c"}),
        ("a: int = 1", {"a"}),
        ("a = 1\na += 1", {"a"}),
        ("for i in range(3): x = i", {"i", "x", EFFECTS}),
        ("if True:\n    def f(): pass\nelse:\n    g = 1", {"f", "g", EFFECTS}),
        ("try:\n    a = 1\nexcept ValueError:\n    a = 2", {"a", EFFECTS}),
        ("print()", {EFFECTS}),
        ("C.x = 1", {EFFECTS}),
        ("__all__ = ['f']", set()),
        ('"""A docstring."""', set()),
        ("if __name__ == '__main__': run()", set()),
        ("import math", set()),
    ],
)
def test_a_statement_defines_these_names(tmp_path: Path, source: str, defined: set[str]) -> None:
    assert set(parsed(tmp_path, source).definitions) == defined


def test_a_name_that_is_bound_twice_has_both_statements_in_order(tmp_path: Path) -> None:
    module = parsed(tmp_path, "a = 1\nb = 2\na += 3\n")
    assert [ast.unparse(one) for one in module.definitions["a"]] == ["a = 1", "a += 3"]


def test_imports_for_type_checkers_and_inside_functions_are_not_the_modules(tmp_path: Path) -> None:
    source = """
        import math
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from toys import Toy
        try:
            import fast as chosen
        except ImportError:
            import slow as chosen
        def f():
            import json
    """
    assert parsed(tmp_path, source).imports == {
        "math": "math",
        "TYPE_CHECKING": "typing.TYPE_CHECKING",
        "chosen": "slow",
    }


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b", {"a": "a"}),
        ("import a.b as c", {"c": "a.b"}),
        ("from a.b import c, d as e", {"c": "a.b.c", "e": "a.b.d"}),
        ("from . import c", {"c": "package.inner.c"}),
        ("from .near import c", {"c": "package.inner.near.c"}),
        ("from ..far import c", {"c": "package.far.c"}),
        ("from __future__ import annotations", {}),
    ],
)
def test_imports_stand_for_dotted_names(source: str, names: dict[str, str]) -> None:
    nodes = list(ast.walk(ast.parse(source)))
    assert imports_of(nodes, "package.inner.toy", Path("toy.py")) == names


def test_a_package_counts_dots_from_itself() -> None:
    nodes = list(ast.walk(ast.parse("from .near import c")))
    assert imports_of(nodes, "package.inner", Path("inner/__init__.py")) == {"c": "package.inner.near.c"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = (1)  # one"),
        ("x = 'a'", 'x = "a"'),
        ("x = 'a'", "x = u'a'"),
        ("x: int = 1", "x = 1"),
        ("def f(a: int) -> str: return a", "def f(a): return a"),
        ("def f(): return 1", 'def f():\n    """Return 1."""\n    return 1'),
        ("def f(): return m.x", "def f():\n    import m\n    return m.x"),
        ("def f(): return x", "def f():\n    x: int\n    return x"),
        ("raise E('a')", "raise E(f'b {c}') from None"),
    ],
)
def test_differences_that_do_not_count(one: str, other: str) -> None:
    assert read(one)[0] == read(other)[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 2"),
        ("x = 1", "x = 1.0"),
        ("x = 'a'", "x = b'a'"),
        ("x = a - b", "x = b - a"),
        ("def f(a): return a", "def f(a=0): return a"),
        ("def f(a): return a", "async def f(a): return a"),
        ("class C:\n    x: int", "class C:\n    x: str"),
        ("class C:\n    x: int", "class C:\n    pass"),
        ("raise E('a')", "raise F('a')"),
        ("x = 'docstring'", "x = None"),
    ],
)
def test_differences_that_count(one: str, other: str) -> None:
    assert read(one)[0] != read(other)[0]


def test_a_name_is_read_as_the_definition_that_it_stands_for() -> None:
    direct, used = read("y = f(x)", {"f": "package.scale.factor"})
    through_module, also_used = read("y = s.factor(x)", {"s": "package.scale"})
    assert direct == through_module
    assert used == also_used == [Definition("scale", "factor")]
    assert read("y = f(x)", {"f": "package.scale.other"})[0] != direct


def test_attributes_of_a_definition_count_and_foreign_names_are_read_as_they_are_called() -> None:
    assert read("y = C.a", {"C": "package.m.C"})[0] != read("y = C.b", {"C": "package.m.C"})[0]
    numpy, used = read("y = np.abs(x)", {"np": "numpy"})
    assert used == [] and numpy == read("y = abs_(x)", {"abs_": "numpy.abs"})[0]


def test_the_message_of_an_error_uses_nothing() -> None:
    names = {"E": "package.errors.E", "words": "package.text.words"}
    assert read("raise E(words(1))", names)[1] == []


def test_a_digest_follows_the_nested_lists() -> None:
    assert sha256(["a", ["b"]]) == sha256(["a", ["b"]]) != sha256(["a", "b"])
    assert len(sha256([])) == 64
