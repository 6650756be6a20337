"""Contents of the registry, and look-up of a model by name."""

from __future__ import annotations

import pytest

from flows.project.paths import Paths
from flows.registry.catalogue import champion_tags, find_model, list_versions
from flows.registry.choice import choose
from flows.registry.versions import challenge
from flows.tracking.runs import connect
from tests.flows.made_up import MakeJob
from vad_models.errors import JobError


@pytest.fixture
def registered(paths: Paths, make_job: MakeJob) -> Paths:
    """Camera 01 of two datasets, and camera 02 of one, which has two versions; and a model that is no detector."""
    for job in (
        make_job("conv_ae", "01"),
        make_job("conv_ae", "02", quality=0.2),
        make_job("ffp", "02", quality=3.0),
        make_job("conv_ae", "01", dataset="park", labelled=False, label_free_auc=0.7),
    ):
        challenge(paths, choose([job], ["conv_ae", "ffp"]), "flow test")
    connect(paths).create_registered_model("somebody-elses")
    return paths


def test_versions_are_listed_newest_first_with_what_is_written_on_them(registered: Paths) -> None:
    listed = list_versions(registered)
    assert [(one.model, one.version, one.aliases) for one in listed] == [
        ("park-camera-01", 1, ("champion",)),
        ("toy-camera-01", 1, ("champion",)),
        ("toy-camera-02", 2, ("champion",)),
        ("toy-camera-02", 1, ("challenger",)),
    ]
    unlabelled, newest, oldest = listed[0], listed[2], listed[3]
    assert (unlabelled.auc, unlabelled.auc_papers, unlabelled.label_free_auc) == (None, None, 0.7)
    assert (newest.method, newest.camera, newest.seed, newest.promotion_by) == ("ffp", "02", "0", "flow test")
    assert newest.auc is not None and oldest.auc is not None and newest.auc > oldest.auc
    assert newest.champion_until is None and newest.champion_since == oldest.champion_until


def test_versions_are_listed_by_dataset_and_camera(registered: Paths) -> None:
    assert {one.model for one in list_versions(registered, "park")} == {"park-camera-01"}
    assert {one.model for one in list_versions(registered, camera="01")} == {
        "park-camera-01",
        "toy-camera-01",
    }
    assert list_versions(registered, "park", "02") == []


def test_more_entries_than_a_page_holds_are_all_read(
    registered: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.registry.catalogue._PAGE", 1)
    assert len(list_versions(registered)) == 4


def test_a_model_is_named_by_itself_or_by_its_camera(registered: Paths) -> None:
    assert find_model(registered, "toy-camera-02") == find_model(registered, "02") == "toy-camera-02"
    assert find_model(registered, "01", "park") == "park-camera-01"
    with pytest.raises(
        JobError, match=r"camera 01 is in several datasets \(park, toy\): name one with --dataset"
    ):
        find_model(registered, "01")
    with pytest.raises(
        JobError, match=r"no registered model '09', and no camera .* there are park-camera-01, toy"
    ):
        find_model(registered, "09")


def test_without_models_it_says_how_to_get_some(paths: Paths) -> None:
    assert list_versions(paths) == []
    assert champion_tags(paths, "toy", "01") is None
    with pytest.raises(JobError, match="there are none: train with `vad benchmark`"):
        find_model(paths, "01")
