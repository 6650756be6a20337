from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.benchmark import stages
from flows.benchmark.validation import validate
from flows.project.paths import Paths
from flows.project.project import Project
from tests.conftest import CONV_AE, PARAMS, write_settings
from vad_models.data.frame_store import FrameStore
from vad_models.errors import DataError


def test_ingest_writes_what_it_found_and_keeps_the_link_to_the_footage(project_root: Path) -> None:
    raw = stages.ingest(Paths(project_root), "blobs")

    found = json.loads((project_root / "ingest/blobs.json").read_text())
    assert found == {
        "dataset": "blobs",
        "layout": "frames_folder",
        "labels": "mat",
        "cameras": ["01", "02"],
        "videos": len(raw.videos),
    }
    for _ in range(2):
        assert (project_root / "footage").readlink() == Path("data")
        stages.ingest(Paths(project_root), "blobs")


def test_ingest_of_absent_data_says_how_to_make_pull_and_import_them(project_root: Path) -> None:
    with pytest.raises(DataError, match=r"no data/campus.*vad data synth.*dvc pull.*vad data import"):
        stages.ingest(Paths(project_root), "campus")


def test_forget_ingest_makes_the_stage_run_again(project_root: Path) -> None:
    stages.ingest(Paths(project_root), "blobs")

    stages.forget_ingest(Paths(project_root), "blobs")

    assert list((project_root / "ingest").iterdir()) == []
    assert (project_root / "data/blobs").is_dir()


def test_derive_makes_a_frame_store_of_every_size(project_root: Path) -> None:
    validate(Paths(project_root), "blobs")

    (root,) = stages.derive(Project.at(project_root), "blobs")

    assert FrameStore(root).cameras == ["01", "02"]


def test_settings_of_the_benchmark_are_written_complete(project_root: Path) -> None:
    write_settings(
        project_root,
        PARAMS.replace("[conv_ae]", "[conv_ae_wide, fusion]"),
        conv_ae=f"{CONV_AE}variants:\n  wide: {{changes: {{training.batch: 1}}}}\n",
        fusion="demo: {members: {conv_ae_wide: [reconstruction]}}\n",
    )

    wide, fusion = (
        json.loads(file.read_text())
        for file in stages.write_method_settings(Project.at(project_root), "blobs")
    )

    assert (wide["clip"], wide["training"]["epochs"], wide["training"]["batch"]) == (4, 2, 1)
    assert fusion["members"]["conv_ae_wide"]["settings"] == wide
    assert (project_root / "settings/blobs/fusion.json").exists()


def test_derive_before_validate_says_what_to_run(project_root: Path) -> None:
    with pytest.raises(DataError, match="vad data validate"):
        stages.derive(Project.at(project_root), "blobs")
