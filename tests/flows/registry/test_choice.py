"""Which job of a camera is the best, and by which criterion."""

from __future__ import annotations

import pytest

from flows.registry.choice import choose
from tests.flows.made_up import MakeJob, edit_metrics
from vad_models.errors import JobError
from vad_models.jobs.finished import FinishedJob


def test_labelled_video_chooses_by_auc_over_seeds(benchmark: list[FinishedJob]) -> None:
    jobs = [finished for finished in benchmark if finished.job.camera == "01"]
    choice = choose(jobs, ["conv_ae", "ffp"])
    assert (choice.winner.job.method, choice.winner.job.seed) == ("ffp", 0)
    assert choice.criterion == "test AUC (micro, per_video, labels official)"
    assert choice.value == choice.compared["ffp"] > choice.compared["conv_ae"]
    measured = [
        finished.measured("reconstruction", "per_video") for finished in jobs if finished.job.method == "ffp"
    ]
    assert choice.value == pytest.approx(sum(one["auc_micro"] for one in measured if one) / 2)
    assert "mean over 2 seeds" in choice.selected_on
    assert choice.reported["cross_fitted_low"] <= choice.reported["cross_fitted_auc"]
    assert "cross-fitted" in choice.worth


def test_without_labels_the_label_free_criterion_chooses(make_job: MakeJob) -> None:
    jobs = [
        make_job("conv_ae", labelled=False, label_free_auc=0.7),
        make_job("ffp", labelled=False, label_free_auc=0.9),
    ]
    choice = choose(jobs, ["conv_ae", "ffp"])
    assert (choice.winner.job.method, choice.criterion, choice.value) == ("ffp", "label-free AUC", 0.9)


def test_without_any_criterion_the_configured_order_chooses_and_says_so(make_job: MakeJob) -> None:
    jobs = [make_job("conv_ae", labelled=False), make_job("ffp", labelled=False)]
    choice = choose(jobs, ["ffp", "conv_ae"])
    assert choice.winner.job.method == "ffp"
    assert choice.value is None
    assert "order of the methods in params.yaml" in choice.selected_on


def test_test_video_of_one_class_counts_as_unlabelled(make_job: MakeJob) -> None:
    finished = make_job(label_free_auc=0.8)
    entries = [{**entry, "frames_abnormal": 0} for entry in finished.metrics["metrics"]]
    assert choose([edit_metrics(finished, metrics=entries)], ["conv_ae"]).criterion == "label-free AUC"


def test_no_jobs_no_champion() -> None:
    with pytest.raises(JobError, match="run `vad benchmark` first"):
        choose([], ["ffp"])
