from __future__ import annotations

from pathlib import Path

import pytest

from flows.datasets import list_dataset

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

    assert list_dataset(root, "ped2") == []

    assert (root / "params.yaml").read_text() == PARAMS.replace("- campus", "- campus\n    - ped2")


def test_a_listed_dataset_without_a_folder_leaves(root: Path) -> None:
    assert list_dataset(root, "ped2") == ["campus"]
    assert (root / "params.yaml").read_text() == PARAMS.replace("- campus", "- ped2")


def test_a_dataset_that_is_listed_changes_nothing(root: Path) -> None:
    (root / "data/campus").mkdir(parents=True)
    before = (root / "params.yaml").stat().st_mtime_ns

    assert list_dataset(root, "campus") == []

    assert (root / "params.yaml").stat().st_mtime_ns == before
