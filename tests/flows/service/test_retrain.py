"""A champion in service is replaced only by a model that beats it on held-out video."""

from __future__ import annotations

import pytest

from flows.project.paths import Paths
from flows.registry.catalogue import champion_tags
from flows.registry.choice import choose
from flows.registry.versions import challenge
from flows.service.retrain import challenge_on_holdout
from flows.tracking.runs import connect
from tests.flows.made_up import MakeJob, edit_metrics
from vad_models.errors import JobError
from vad_models.jobs.finished import FinishedJob

NEW_FOOTAGE = "d1" * 32


@pytest.fixture
def champion(make_job: MakeJob, paths: Paths) -> FinishedJob:
    """Chosen by its test AUC, on the footage as it was."""
    finished = make_job("conv_ae", quality=3.0)
    challenge(paths, choose([finished], ["conv_ae"]), "flow test")
    return finished


def versions(paths: Paths) -> dict[str, dict[str, str]]:
    """Version -> its tags."""
    found = connect(paths).search_model_versions("name = 'toy-camera-01'")
    return {str(one.version): dict(one.tags) for one in found}


def serving(paths: Paths) -> dict[str, str]:
    tags = champion_tags(paths, "toy", "01")
    assert tags is not None
    return tags


@pytest.mark.usefixtures("champion")
@pytest.mark.parametrize(("label_free_auc", "better"), [(1.0, True), (0.0, False)])
def test_new_footage_promotes_only_what_beats_the_champion_on_it(
    make_job: MakeJob, paths: Paths, label_free_auc: float, better: bool
) -> None:
    retrained = make_job("ffp", data_version=NEW_FOOTAGE, label_free_auc=label_free_auc)

    promotion = challenge_on_holdout(paths, [retrained.job])

    assert promotion.promoted == better
    assert versions(paths)[promotion.version]["promotion_by"] == "flow retrain"
    assert promotion.reason.startswith("better: label-free AUC" if better else "not better: label-free AUC")
    assert serving(paths)["method"] == ("ffp" if better else "conv_ae")


def test_a_champion_that_is_not_stale_keeps_what_is_written_on_it(
    champion: FinishedJob, paths: Paths
) -> None:
    edit_metrics(champion, label_free_auc=0.9)
    before = serving(paths)

    promotion = challenge_on_holdout(paths, [champion.job])

    assert (promotion.promoted, promotion.reason) == (False, "version 1 is the champion already")
    assert serving(paths) == before
    assert "test AUC" in before["criterion"]


def test_a_camera_without_a_champion_gets_one(make_job: MakeJob, paths: Paths) -> None:
    jobs = [make_job(method, label_free_auc=auc).job for method, auc in (("conv_ae", 0.6), ("ffp", 0.8))]

    assert challenge_on_holdout(paths, jobs).promoted
    assert (serving(paths)["method"], serving(paths)["criterion"]) == ("ffp", "label-free AUC")


@pytest.mark.usefixtures("champion")
def test_without_the_label_free_criterion_nothing_is_replaced(make_job: MakeJob, paths: Paths) -> None:
    retrained = make_job("ffp", data_version=NEW_FOOTAGE)

    with pytest.raises(JobError, match=r"ffp/01/seed0 has no label-free AUC.*raise its `holdout`"):
        challenge_on_holdout(paths, [retrained.job])
    assert serving(paths)["method"] == "conv_ae"
