"""Which changes of the source count, tested on small packages that are changed in one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from vad_models.jobs.sources import Sources

FILES = {
    "__init__": "",
    "method": '''
"""Two scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from toy import scale as scaling
from toy.errors import ToyError
from toy.layers import block

if TYPE_CHECKING:
    from toy.unused import Other

_LEAST = 0.1


class Settings:
    """Of a method."""

    weight: float = 0.5
    """Of the second score."""


def score(error: float, *others: float, settings: Settings = Settings()) -> list[float]:
    """Higher is more abnormal."""
    weight: float = scaling.factor(settings.weight)
    if error < _LEAST:
        raise ToyError(f"{error} is too small.") from None
    return [math.sqrt(error), weight * block(error), *others]  # per frame
''',
    "scale": """
_SHARE = 0.5


def factor(weight):
    return _SHARE * weight


def unused():
    return 3
""",
    "layers/__init__": "from toy.layers.blocks import block\n",
    "layers/blocks": """
_SHARE = 0.25


class Base:
    gain = 2


class Block(Base):
    def __call__(self, x):
        return x * self.gain


def block(x):
    from math import tanh

    return tanh(Block()(x)) + _SHARE
""",
    "errors": "class ToyError(Exception):\n    code = 1\n",
    "unused": "class Other:\n    pass\n",
}


def digest(folder: Path, changes: dict[str, str] | None = None, name: str = "toy.method.score") -> str:
    for module, text in {**FILES, **(changes or {})}.items():
        path = folder / "toy" / f"{module}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Sources({"toy": folder / "toy"}, ["toy.errors"]).digest([name])


def changed(module: str, old: str, new: str) -> dict[str, str]:
    assert old in FILES[module]
    return {module: FILES[module].replace(old, new)}


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("method", "Two scores.", "Two scores of a frame."),
        ("method", "Of a method.", ""),
        ("method", '    """Of the second score."""\n', ""),
        ("method", "  # per frame", ""),
        ("method", "[math.sqrt(error), ", "[\n        math.sqrt(error),\n        "),
        ("method", "error: float, *others: float", "error: int, *others"),
        ("method", "-> list[float]", "-> tuple[float, ...]"),
        ("method", "weight: float = scaling", "weight = scaling"),
        ("method", "_LEAST = ", "_LEAST: float = "),
        ("method", "import math\nfrom typing import", "import json\nimport math\nfrom typing import"),
        ("method", "from toy.layers import block\n\n", "\nimport json  # noqa\nfrom toy.layers import block\n"),
        ("method", "is too small", "is less than allowed"),
        ("method", "class Settings", "def helper():\n    return 1\n\n\nclass Settings"),
        ("method", "_LEAST = 0.1\n\n", "__all__ = ['score']\n\n_LEAST = 0.1\n\n"),
        ("method", "import Other", "import Another"),
        ("scale", "return 3", "return 4"),
        ("errors", "code = 1", "code = 2"),
        ("unused", "pass", "size = 1"),
    ],
)  # fmt: skip
def test_what_shapes_no_number_does_not_count(tmp_path: Path, module: str, old: str, new: str) -> None:
    assert digest(tmp_path, changed(module, old, new)) == digest(tmp_path)


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("method", "0.5\n", "0.25\n"),
        ("method", "0.5\n", '"0.5"\n'),
        ("method", "weight: float = 0.5", "weight: int = 0.5"),
        ("method", "weight * block(error)", "weight + block(error)"),
        ("method", "weight * block(error)", "block(error) * weight"),
        ("method", "*others]", "others]"),
        ("method", "return [", "return ['', "),
        ("method", "    return [", "    error = abs(error)\n    return ["),
        ("method", "settings: Settings = Settings()", "settings: Settings = None"),
        ("method", "_LEAST = 0.1", "_LEAST = 0.2"),
        ("method", "raise ToyError(", "raise ValueError("),
        ("method", "import math\n", "import cmath as math\n"),
        ("method", "class Settings", "Settings.weight = 1\n\n\nclass Settings"),
        ("scale", "0.5", "0.75"),
        ("scale", "_SHARE * weight", "weight"),
        ("scale", "def unused", "print()\n\n\ndef unused"),
        ("layers/blocks", "gain = 2", "gain = 3"),
        ("layers/blocks", "x * self.gain", "x"),
        ("layers/blocks", "import tanh", "import sin as tanh"),
        ("layers/blocks", "+ _SHARE", ""),
    ],
)
def test_every_statement_that_is_used_counts(tmp_path: Path, module: str, old: str, new: str) -> None:
    assert digest(tmp_path, changed(module, old, new)) != digest(tmp_path)


@pytest.mark.parametrize(
    ("imports", "use"),
    [
        ("from toy import scale", "scale.factor"),
        ("from toy.scale import factor", "factor"),
        ("from toy.scale import factor as by", "by"),
        ("import toy.scale", "toy.scale.factor"),
        ("import toy.scale as s", "s.factor"),
        ("from . import scale", "scale.factor"),
        ("from .scale import factor", "factor"),
        ("import numpy\nfrom toy.scale import factor", "factor"),
    ],
)
def test_an_alias_makes_no_difference(tmp_path: Path, imports: str, use: str) -> None:
    text = FILES["method"].replace("from toy import scale as scaling", imports)
    assert digest(tmp_path, {"method": text.replace("scaling.factor", use)}) == digest(tmp_path)


def test_a_definition_counts_the_same_wherever_it_lies(tmp_path: Path) -> None:
    before = digest(tmp_path / "a")
    moved = {
        "deep/__init__": "",
        "deep/factors": FILES["scale"],
        "scale": "",
        "layers/__init__": "",
        "layers/more": FILES["layers/blocks"].split("def block")[0].split("_SHARE = 0.25\n")[1],
        "layers/blocks": "from .more import Block\n\n\ndef block" + FILES["layers/blocks"].split("def block")[1]
        + "\n\n_SHARE = 0.25\n",
        "method": FILES["method"].replace("from toy import scale as", "from toy.deep import factors as")
        .replace("toy.layers import", "toy.layers.blocks import"),
    }  # fmt: skip
    assert digest(tmp_path / "b", moved) == before
    anywhere = {"elsewhere": FILES["method"].replace("import math", "import math  # moved")}
    assert digest(tmp_path / "a", anywhere, "toy.elsewhere.score") == before


def test_constants_of_one_name_cannot_exchange_their_values(tmp_path: Path) -> None:
    swapped = changed("scale", "0.5", "0.25") | changed("layers/blocks", "0.25", "0.5")
    assert digest(tmp_path, swapped) != digest(tmp_path)


def test_a_module_used_as_a_value_counts_as_a_whole(tmp_path: Path) -> None:
    text = FILES["method"].replace("scaling.factor(settings.weight)", "getattr(scaling, 'factor')(1)")
    before = digest(tmp_path, {"method": text})
    assert digest(tmp_path, {"method": text, **changed("scale", "return 3", "return 4")}) != before


def test_names_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=r"there is no toy\.method\.scores in .*: name a function"):
        digest(tmp_path, name="toy.method.scores")


def test_the_files_are_those_of_the_definitions(tmp_path: Path) -> None:
    digest(tmp_path)
    files = Sources({"toy": tmp_path / "toy"}, ["toy.errors"]).files(["toy.method.score"])
    names = {str(file.relative_to(tmp_path / "toy")) for file in files}
    assert names == {"method.py", "scale.py", "layers/blocks.py"}


def test_the_digest_is_the_same_in_every_version_of_python(tmp_path: Path) -> None:
    """Otherwise, models that are trained with one version would not be found with another."""
    assert digest(tmp_path) == "03045844e6835b96"
