"""Choice of a camera's best job, and its criterion."""

from __future__ import annotations

import pytest

from flows.registry.choice import beats, choose
from tests.flows.made_up import EVALUATION, MakeJob, edit_metrics
from vad_models.errors import JobError
from vad_models.evaluation.metrics import measure
from vad_models.evaluation.normalisation import NORMALISATIONS
from vad_models.jobs.finished import FinishedJob
from vad_models.scoring import write_scores


def test_labelled_video_chooses_by_auc_over_seeds(benchmark: list[FinishedJob]) -> None:
    jobs = [finished for finished in benchmark if finished.job.camera == "01"]
    choice = choose(jobs, ["conv_ae", "ffp"])
    assert (choice.winner.job.method, choice.winner.job.seed) == ("ffp", 0)
    assert choice.criterion == "test AUC (micro, training, labels official)"
    assert choice.value == choice.compared["ffp"] > choice.compared["conv_ae"]
    measured = [
        [finished.measured("reconstruction", how) for finished in jobs if finished.job.method == "ffp"]
        for how in ("training", "per_video")
    ]
    deployable, papers = (sum(one["auc_micro"] for one in seeds if one) / 2 for seeds in measured)
    assert choice.value == choice.reported["auc"] == pytest.approx(deployable)
    assert choice.reported["auc_papers"] == choice.papers["ffp"] == pytest.approx(papers)
    assert list(choice.reported)[:2] == ["auc", "cross_fitted_auc"]
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


def shifted_by_video(make_job: MakeJob, method: str, **settings: object) -> FinishedJob:
    """A job that `per_video` flatters: within a video it is nearly perfect, between videos its level jumps."""
    finished = make_job(method, quality=4.0, **settings)
    jumps = finished.scores["video"].where(finished.scores["split"] == "test", "00").astype(int) ** 2
    scores = finished.scores.assign(reconstruction=finished.scores["reconstruction"] - 0.02 * jumps)
    write_scores(scores, finished.directory / "scores.parquet")
    entries = measure(scores, ["reconstruction"], NORMALISATIONS, "official", finished.evaluation)
    return edit_metrics(finished, metrics=entries)


@pytest.mark.parametrize("how", ["training", "causal"])
def test_the_papers_normalisation_never_chooses(make_job: MakeJob, how: str) -> None:
    evaluation = EVALUATION.model_copy(update={"normalisation": how})
    flattered = shifted_by_video(make_job, "conv_ae", evaluation=evaluation)
    steady = make_job("ffp", quality=1.5, evaluation=evaluation)

    choice = choose([flattered, steady], ["conv_ae", "ffp"])

    assert choice.papers["conv_ae"] > choice.papers["ffp"]
    assert choice.compared["conv_ae"] < choice.compared["ffp"]
    assert choice.winner.job.method == "ffp"
    assert choice.criterion == f"test AUC (micro, {how}, labels official)"
    assert f"(`{how}`)" in choice.worth and "(`per_video`)" in choice.worth


def test_labels_may_be_left_out_of_the_choice(make_job: MakeJob) -> None:
    jobs = [
        make_job("conv_ae", quality=3.0, label_free_auc=0.6),
        make_job("ffp", quality=0.1, label_free_auc=0.8),
    ]
    assert choose(jobs, ["conv_ae", "ffp"]).winner.job.method == "conv_ae"
    choice = choose(jobs, ["conv_ae", "ffp"], use_labels=False)
    assert (choice.winner.job.method, choice.criterion) == ("ffp", "label-free AUC")
    with pytest.raises(
        JobError, match="lsa/01/seed0 has no label-free AUC because its held-out video is too short"
    ):
        choose([*jobs, make_job("lsa")], ["conv_ae", "ffp"], use_labels=False)


def test_a_choice_beats_what_it_is_better_than_by_the_same_criterion_on_the_same_data(
    make_job: MakeJob,
) -> None:
    choice = choose([make_job("ffp", quality=2.0)], ["ffp"])
    value = choice.reported["auc"]
    same = {
        "frames_version": choice.winner.job.data_version,
        "criterion": choice.criterion,
        "criterion_value": f"{value - 0.01:.6f}",
        "method": "conv_ae",
    }
    assert beats(choice, None).reason == "the camera had no champion"
    better = beats(choice, same)
    assert better.better and better.reason.startswith("better: test AUC (micro, training, labels official)")
    worse = beats(choice, {**same, "criterion_value": f"{value + 0.01:.6f}"})
    assert not worse.better and worse.reason.startswith("not better: ")
    assert "another version of the data" in beats(choice, {**same, "frames_version": "other"}).reason
    by_papers = "test AUC (micro, per_video, labels official)"
    assert "another criterion" in beats(choice, {**same, "criterion": by_papers}).reason
    assert not beats(choice, {**same, "frames_version": "other"}, standing=value + 0.01).better
