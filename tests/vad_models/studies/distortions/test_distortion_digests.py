"""A distortion's digest is that of its own function and what it calls, in edited copies of the code."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import vad_models
from tests.vad_models.jobs.test_code_version import edit, move
from vad_models.jobs.code_version import definitions_digest, source_tree
from vad_models.studies.conditions import Condition
from vad_models.studies.distortions import DISTORTIONS

CONDITIONS = {name: Condition(distortion=name, severity=3) for name in (*DISTORTIONS, "weather")}
DIGESTS = {name: definitions_digest(*condition.code) for name, condition in CONDITIONS.items()}
LIGHT = {"brightness", "over_exposure", "colour_cast"}
FOLDER = "vad_models/studies/distortions"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of `vad_models`."""
    source = Path(vad_models.__file__).parent
    shutil.copytree(source, tmp_path / "vad_models", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def renewed(copy: Path, old: str = "", new: str = "") -> set[str]:
    """Distortions whose digest in the copy, where the module `old` is called `new`, is not that of the code here."""
    sources = source_tree({"vad_models": copy / "vad_models"})
    return {
        name
        for name, condition in CONDITIONS.items()
        if DIGESTS[name]
        != sources.digest(
            f"{new if one.__module__ == old else one.__module__}.{one.__qualname__}" for one in condition.code
        )
    }


def test_each_distortion_has_a_digest_of_its_own() -> None:
    assert len(set(DIGESTS.values())) == len(CONDITIONS)


def test_comments_and_docstrings_renew_nothing(copy: Path) -> None:
    for file in (copy / FOLDER).glob("*.py"):
        described = re.sub('^( *)"""(?=[A-Z])', r'\1"""So: ', file.read_text(), flags=re.MULTILINE)
        file.write_text(f"# About light.\n{described}")
    edit(copy / FOLDER / "light.py", "    shift =", "    # Red and blue.\n    shift =")
    assert renewed(copy) == set()


def test_another_distortion_renews_nothing(copy: Path) -> None:
    file = copy / FOLDER / "light.py"
    added = "@distortion\ndef dusk(frames: Tensor, severity: int, moment: Moment) -> Tensor:\n    return frames / 2\n"
    file.write_text(f"{file.read_text()}\n\n{added}")
    assert renewed(copy) == set()


@pytest.mark.parametrize(
    ("module", "function", "changed"),
    [
        ("light", "def colour_cast", {"colour_cast"}),
        ("weather", "def _rain", {"rain", "weather"}),
        ("weather", "def weather", {"weather"}),
        ("drawing", "def drawn", {"rain", "snow", "weather"}),
        ("drawing", "def filtered", {"defocus", "motion_blur"}),
        ("kinds", "def in_blocks", set(CONDITIONS) - {"dropped_frames", "frozen_frames"}),
    ],
)
def test_a_statement_renews_what_calls_it(copy: Path, module: str, function: str, changed: set[str]) -> None:
    file = copy / FOLDER / f"{module}.py"
    before, after = file.read_text().split(function)
    file.write_text(before + function + after.replace("    return ", "    return 1 and ", 1))
    assert renewed(copy) == changed


@pytest.mark.parametrize("module", ["light", "drawing", "kinds"])
def test_a_module_that_moves_renews_nothing(copy: Path, module: str) -> None:
    old, new = f"vad_models.studies.distortions.{module}", f"vad_models.studies.seen.{module}"
    move(copy / "vad_models", old, new)
    assert renewed(copy, old, new) == set()
