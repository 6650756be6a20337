"""Fingerprints ignore edits that change no number, tested on edited and moved copies of the package."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

import vad_models
from vad_models.data.clips import split_holdout
from vad_models.jobs import code_version as module
from vad_models.jobs.code_version import code_sources, code_version, definitions_digest, source_tree
from vad_models.jobs.sources import Sources
from vad_models.methods import method_class, method_names
from vad_models.training import train

PACKAGE = Path(vad_models.__file__).parent


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of `vad_models`."""
    return shutil.copytree(PACKAGE, tmp_path / "vad_models", ignore=shutil.ignore_patterns("__pycache__"))


def versions(package: Path, methods: Iterable[str]) -> dict[str, str]:
    sources = source_tree({"vad_models": package})
    return {method: code_version(method, sources) for method in methods}


def edit(file: Path, old: str = "return ", new: str = "return None or ") -> None:
    """Replace what is there; by default in a way that changes every function."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def renewed(package: Path, methods: Iterable[str] = tuple(method_names())) -> set[str]:
    """Those of `methods` whose version in `package` is not that of the installed code."""
    found = versions(package, methods)
    return {method for method, version in found.items() if version != code_version(method)}


def move(package: Path, old: str, new: str) -> None:
    """What `git mv` and rewritten imports make of the module `old`."""
    source, target = (package.parent.joinpath(*name.split(".")).with_suffix(".py") for name in (old, new))
    for folder in target.relative_to(package.parent).parents:
        (package.parent / folder).mkdir(exist_ok=True)
        if folder.parts and not (package.parent / folder / "__init__.py").exists():
            (package.parent / folder / "__init__.py").touch()
    shutil.move(source, target)
    for file in package.rglob("*.py"):
        file.write_text(re.sub(rf"\b{re.escape(old)}\b", new, file.read_text()))


def test_every_method_has_a_version_of_its_own(package: Path) -> None:
    found = versions(package, method_names())
    assert len(set(found.values())) == len(method_names())
    assert all(re.fullmatch("[0-9a-f]{16}", version) for version in found.values())


def test_comments_docstrings_and_the_order_of_definitions_renew_nothing(package: Path) -> None:
    for file in package.rglob("*.py"):
        text = re.sub(r'^    """[A-Z]', '    """So: A', file.read_text(), flags=re.MULTILINE)
        head, *functions = text.split("\n\n\ndef ")
        file.write_text("\n\n\n# About what follows.\ndef ".join([head, *reversed(functions)]))
    assert renewed(package) == set()


def test_modules_that_move_renew_nothing(package: Path) -> None:
    for old, new in [
        ("vad_models.layers.windows", "vad_models.data.cutting.windows"),
        ("vad_models.layers.losses", "vad_models.losses"),
        ("vad_models.layers.backbone", "vad_models.networks.fixed"),
        ("vad_models.contract", "vad_models.methods._contract"),
        ("vad_models.data.frozen_features", "vad_models.jobs.frozen"),
    ]:
        move(package, old, new)
    assert renewed(package) == set()


@pytest.mark.parametrize(
    ("file", "methods"),
    [
        ("layers/unet.py", {"ffp", "mnad"}),
        ("layers/glow.py", {"itae"}),
        ("layers/sparse_coding.py", {"srnn_ae", "tsc"}),
        ("layers/backbone.py", {"lstm_ae", "nearest_subspace", "one_class_svm", "srnn_ae", "tsc"}),
        ("methods/conv_ae.py", {"conv_ae"}),
    ],
)
def test_a_changed_statement_renews_the_methods_that_use_it(
    package: Path, file: str, methods: set[str]
) -> None:
    edit(package / file)
    assert renewed(package) == methods


def test_a_layer_counts_wherever_it_lies(package: Path) -> None:
    move(package, "vad_models.layers.glow", "vad_models.flowing.glow")
    edit(package / "flowing/glow.py")
    assert renewed(package) == {"itae"}


@pytest.mark.parametrize(
    "file",
    [
        "contract.py",
        "data/clips.py",
        "data/frozen_features.py",
        "evaluation/label_free.py",
        "layers/folding.py",
        "scoring.py",
        "streaming.py",
        "phase_training.py",
        "training.py",
    ],
)
def test_what_trains_and_scores_renews_every_method(package: Path, file: str) -> None:
    edit(package / file)
    unlike_each_other = {"frame_difference", "fusion", "lstm_ae"}
    assert renewed(package, unlike_each_other) == unlike_each_other


def test_studies_metrics_messages_and_files_renew_nothing(package: Path) -> None:
    for file in (
        "errors",
        "data/files",
        "data/parallel",
        "evaluation/metrics",
        "jobs/run",
        *package.glob("studies/*.py"),
    ):
        path = (package / file).with_suffix(".py")
        path.write_text(
            path.read_text().replace("return ", "return None or ").replace("(VadError)", "(OSError)")
        )
    for path in package.rglob("*.py"):
        path.write_text(re.sub(r'Error\(\n? *f"', "\\g<0>Sorry: ", path.read_text()))
    assert "Sorry" in (package / "streaming.py").read_text()
    assert renewed(package) == set()


def test_the_digest_of_objects_follows_what_they_use() -> None:
    assert re.fullmatch("[0-9a-f]{16}", definitions_digest(train))
    assert definitions_digest(train, split_holdout) == definitions_digest(split_holdout, train)
    assert definitions_digest(train) != definitions_digest(split_holdout)
    assert definitions_digest(method_class("ffp").loss) == definitions_digest(method_class("ffp"))
    with pytest.raises(LookupError, match=r"there is no pathlib\.Path"):
        definitions_digest(Path)


def test_what_is_left_out_is_there() -> None:
    """A name in the list that no longer means anything would let errors or bars into the fingerprint."""
    sources = Sources({"vad_models": PACKAGE})
    assert all(sources.closure([name]) for name in module._IGNORED)


def test_the_sources_of_a_method_are_the_files_of_what_it_uses() -> None:
    names = {path.stem for path in code_sources("ffp")}
    assert {"ffp", "unet", "losses", "folding", "training", "streaming", "clips", "contract"} <= names
    assert not {path.stem for path in code_sources("conv_ae")} & {"ffp", "unet", "losses", "errors"}


def test_all_versions_are_known_in_a_moment_and_without_torch() -> None:
    script = (
        "import sys, time; began = time.process_time()\n"
        "from vad_models.jobs.code_version import code_version\n"
        f"for method in {method_names()}: code_version(method)\n"
        "print(time.process_time() - began, 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    seconds, torch = said.stdout.split()
    assert torch == "False"
    assert float(seconds) < 1
    began = time.process_time()
    for method in 48 * method_names():
        code_version(method)
    assert time.process_time() - began < 5
