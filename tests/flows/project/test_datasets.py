from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flows.project.datasets import list_dataset, prove_dataset, track_dataset
from vad_models.errors import DataError

PARAMS = """\
# numbers
benchmark: # what runs
  datasets:
    - campus
  methods: [ffp]
base: &base {rate: 0.1} # shared
more: {<<: *base, epochs: 2}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS)
    return tmp_path


def test_a_dataset_joins_those_that_have_data(root: Path) -> None:
    (root / "data/campus").mkdir(parents=True)

    assert list_dataset(root / "params.yaml", "ped2") == []

    assert (root / "params.yaml").read_text() == PARAMS.replace("- campus", "- campus\n    - ped2")


def test_a_listed_dataset_without_a_folder_leaves(root: Path) -> None:
    assert list_dataset(root / "params.yaml", "ped2") == ["campus"]
    assert (root / "params.yaml").read_text() == PARAMS.replace("- campus", "- ped2")


def test_a_dataset_that_is_listed_changes_nothing(root: Path) -> None:
    (root / "data/campus").mkdir(parents=True)
    before = (root / "params.yaml").stat().st_mtime_ns

    assert list_dataset(root / "params.yaml", "campus") == []

    assert (root / "params.yaml").stat().st_mtime_ns == before


def test_each_dataset_is_an_output_of_its_own_in_data_dvc(tmp_path: Path) -> None:
    pinned = "outs:\n- md5: aa.dir\n  path: data/campus\n"
    (tmp_path / "data.dvc").write_text(pinned)
    assert not track_dataset(tmp_path, "campus")
    assert (tmp_path / "data.dvc").read_text() == pinned
    assert track_dataset(tmp_path, "ped2")
    outs = YAML(typ="safe").load(tmp_path / "data.dvc")["outs"]
    assert outs == [{"md5": "aa.dir", "path": "data/campus"}, {"path": "data/ped2"}]


@pytest.mark.slow
def test_footage_is_proven_against_data_dvc_without_a_cache(tmp_path: Path) -> None:
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    (tmp_path / "data" / "campus").mkdir(parents=True)
    footage = tmp_path / "data" / "campus" / "01_001.avi"
    footage.write_bytes(b"frames")
    with pytest.raises(DataError, match="pins no version"):
        prove_dataset(tmp_path, "campus")
    track_dataset(tmp_path, "campus")
    subprocess.run([sys.executable, "-m", "dvc", "commit", "-q", "-f", "data.dvc"], cwd=tmp_path, check=True)
    shutil.rmtree(tmp_path / ".dvc" / "cache")
    prove_dataset(tmp_path, "campus")
    footage.write_bytes(b"other frames")
    with pytest.raises(DataError, match="differs from the footage"):
        prove_dataset(tmp_path, "campus")
