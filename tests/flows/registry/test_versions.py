"""The registry: a camera's champion is its best measured job, can be loaded, and contains no pickle."""

from __future__ import annotations

import pytest

from flows.project.paths import Paths
from flows.registry.catalogue import CHALLENGER, CHAMPION
from flows.registry.choice import choose
from flows.registry.versions import Promotion, challenge, load_champion, promote, register, rollback
from flows.tracking.runs import connect
from tests.flows.made_up import MakeJob
from vad_models.errors import JobError
from vad_models.jobs.finished import FinishedJob

METHODS = ["conv_ae", "ffp"]
NAME = "toy-camera-01"


def versions(paths: Paths, name: str = NAME) -> list:
    return list(connect(paths).search_model_versions(f"name = '{name}'"))


def challenged(paths: Paths, jobs: list[FinishedJob]) -> Promotion:
    """Challenge the champion with the best of a camera's jobs."""
    return challenge(paths, choose(jobs, METHODS), "flow test")


def aliases(paths: Paths) -> dict[str, str]:
    return {
        alias: str(version) for alias, version in connect(paths).get_registered_model(NAME).aliases.items()
    }


def tags(paths: Paths, version: int) -> dict[str, str]:
    return dict(connect(paths).get_model_version(NAME, str(version)).tags)


@pytest.fixture
def three(paths: Paths, make_job: MakeJob) -> Paths:
    """Three versions, each better than the one before: the third is the champion."""
    for method, quality in (("conv_ae", 0.2), ("lsa", 1.0), ("ffp", 3.0)):
        assert challenged(paths, [make_job(method, quality=quality)]).promoted
    return paths


def of_camera(jobs: list[FinishedJob], camera: str) -> list[FinishedJob]:
    return [finished for finished in jobs if finished.job.camera == camera]


def test_the_best_job_becomes_champion_and_its_version_says_why(
    paths: Paths, benchmark: list[FinishedJob]
) -> None:
    promotion = challenged(paths, of_camera(benchmark, "01"))
    assert promotion.promoted
    assert promotion.reason == "the camera had no champion"
    champion = connect(paths).get_model_version_by_alias(NAME, CHAMPION)
    assert champion.tags["method"] == "ffp"
    assert "micro, training, labels official" in champion.tags["selected_on"]
    assert 0 < float(champion.tags["cross_fitted_auc"]) <= 1
    assert champion.tags["promotion"] == "champion: the camera had no champion"
    assert champion.tags["promotion_by"] == "flow test"
    assert "previous_champion" not in champion.tags
    assert "standard deviations above normal video" in champion.description
    assert "| conv_ae" in champion.description


def test_a_second_run_registers_nothing_new(paths: Paths, benchmark: list[FinishedJob]) -> None:
    first = challenged(paths, of_camera(benchmark, "01"))
    again = challenged(paths, of_camera(benchmark, "01"))
    assert (again.promoted, again.version) == (False, first.version)
    assert "is the champion already" in again.reason
    assert len(versions(paths)) == 1
    assert versions(paths)[0].tags["promotion"] == "champion: the camera had no champion"


def test_a_worse_job_is_registered_and_refused(paths: Paths, make_job: MakeJob) -> None:
    challenged(paths, [make_job("ffp", quality=3.0)])
    refused = challenged(paths, [make_job("conv_ae", quality=0.2)])
    assert not refused.promoted
    assert refused.reason.startswith("not better: test AUC")
    champion = connect(paths).get_model_version_by_alias(NAME, CHAMPION)
    assert champion.tags["method"] == "ffp"
    by_method = {one.tags["method"]: one.tags["promotion"] for one in versions(paths)}
    assert by_method["conv_ae"].startswith("refused: not better")


def test_a_better_job_takes_over(paths: Paths, make_job: MakeJob) -> None:
    challenged(paths, [make_job("conv_ae", quality=0.2)])
    better = challenged(paths, [make_job("ffp", quality=3.0)])
    assert better.promoted
    assert load_champion(paths, "toy", "01").version == better.version


def test_other_data_or_another_criterion_are_not_compared(paths: Paths, make_job: MakeJob) -> None:
    challenged(paths, [make_job("ffp", quality=3.0)])
    new_data = challenged(paths, [make_job("ffp", quality=0.2, data_version="d1" * 32)])
    assert new_data.promoted
    assert "another version of the data" in new_data.reason
    unlabelled = make_job("conv_ae", labelled=False, label_free_auc=0.6, data_version="d1" * 32)
    other = challenged(paths, [unlabelled])
    assert other.promoted
    assert "another criterion" in other.reason


def test_a_camera_without_champion_is_one_sentence(paths: Paths) -> None:
    with pytest.raises(JobError, match="camera 09 of toy has no champion: train one with `vad benchmark"):
        load_champion(paths, "toy", "09")


def test_registering_moves_no_champion_and_names_the_challenger(paths: Paths, make_job: MakeJob) -> None:
    challenged(paths, [make_job("conv_ae", quality=0.2)])
    assert aliases(paths) == {CHAMPION: "1"}
    choice = choose([make_job("ffp", quality=3.0)], METHODS)
    assert register(paths, choice) == "2"
    assert register(paths, choice) == "2", "registered twice"
    assert aliases(paths) == {CHAMPION: "1", CHALLENGER: "2"}


def test_the_challenger_is_the_newest_version_that_is_not_champion(three: Paths, make_job: MakeJob) -> None:
    assert aliases(three) == {CHAMPION: "3", CHALLENGER: "2"}
    assert not challenged(three, [make_job("itae", quality=0.1)]).promoted
    assert aliases(three) == {CHAMPION: "3", CHALLENGER: "4"}
    promote(three, NAME, 4, "as an experiment", "ana")
    assert aliases(three) == {CHAMPION: "4", CHALLENGER: "3"}


def test_a_promotion_writes_who_and_why_and_when_on_both_versions(three: Paths) -> None:
    promotion = promote(three, NAME, 1, "the new lens blurs what version 3 sees", "ana")

    assert (promotion.promoted, promotion.version) == (True, "1")
    first, third = tags(three, 1), tags(three, 3)
    assert first["promotion"] == "champion: the new lens blurs what version 3 sees"
    assert (first["promotion_by"], first["previous_champion"]) == ("ana", "3")
    assert "champion_until" not in first
    assert third["champion_since"] <= third["champion_until"] == first["champion_since"]
    assert third["withdrawn"] == "ana: the new lens blurs what version 3 sees"
    assert third["promotion_by"] == "flow test", "who promoted it stays written on it"
    assert load_champion(three, "toy", "01").version == "1"
    assert not promote(three, NAME, 1, "again", "ana").promoted


def test_a_rollback_returns_to_the_champion_before_and_the_next_one_further_back(three: Paths) -> None:
    assert rollback(three, NAME, "false alarms since Monday", "ana").version == "2"
    assert aliases(three) == {CHAMPION: "2", CHALLENGER: "3"}
    assert tags(three, 2)["promotion"] == "champion: false alarms since Monday"
    assert "champion_until" not in tags(three, 2)
    assert rollback(three, NAME, "still", "ben").version == "1"
    assert tags(three, 2)["withdrawn"] == "ben: still"
    with pytest.raises(
        JobError, match="version 1 of toy-camera-01 replaced no champion, so there is none to return"
    ):
        rollback(three, NAME, "still", "ben")


def test_a_promotion_by_mistake_is_taken_back(three: Paths) -> None:
    promote(three, NAME, 1, "typed the wrong number", "ana")
    assert rollback(three, NAME, "that was a mistake", "ana").version == "3"
    assert "withdrawn" not in tags(three, 3)
    assert rollback(three, NAME, "false alarms", "ana").version == "2"


def test_no_comparison_brings_back_what_a_person_withdrew(three: Paths, make_job: MakeJob) -> None:
    rollback(three, NAME, "false alarms since Monday", "ana")
    best = [make_job("ffp", quality=3.0)]

    refused = challenged(three, best)

    assert (refused.promoted, refused.version) == (False, "3")
    assert "version 3 was taken out of service (ana: false alarms since Monday)" in refused.reason
    assert "vad model promote toy-camera-01 --version 3" in refused.reason
    assert aliases(three)[CHAMPION] == "2"
    promote(three, NAME, 3, "the lamp was repaired", "ana")
    assert "withdrawn" not in tags(three, 3)
    assert challenged(three, best).reason == "version 3 is the champion already"


def test_what_cannot_be_promoted_is_one_sentence(three: Paths) -> None:
    with pytest.raises(JobError, match="toy-camera-01 has no version 9; its versions are 1, 2, 3"):
        promote(three, NAME, 9, "why not", "ana")
    with pytest.raises(JobError, match="toy-camera-07 has no version 1; its versions are none"):
        promote(three, "toy-camera-07", 1, "why not", "ana")
    with pytest.raises(JobError, match="toy-camera-07 has no champion"):
        rollback(three, "toy-camera-07", "why not", "ana")
