"""Tags and model card of a registered version."""

from __future__ import annotations

from flows.registry.choice import choose
from flows.registry.model_card import model_card, version_tags
from tests.flows.made_up import MakeJob, edit_metrics

METHODS = ["conv_ae", "ffp"]


def test_a_card_says_what_was_compared_and_what_the_threshold_rests_on(make_job: MakeJob) -> None:
    choice = choose([make_job("conv_ae", quality=0.2), make_job("ffp", quality=3.0)], METHODS)
    card = model_card(choice)

    assert card.startswith("**ffp** on camera 01 of toy, signal `reconstruction`, seed 0.")
    deployable, cross_fitted, papers = (
        f"{choice.reported[name]:.3f}" for name in ("auc", "cross_fitted_auc", "auc_papers")
    )
    assert f"- Worth: AUC {deployable} (`training`); {cross_fitted} (" in card
    assert f"{papers} as papers report it (`per_video`)." in card
    assert "standard deviations above normal video" in card
    for method in METHODS:
        cells = [method, f"{choice.compared[method]:.4f}", f"{choice.papers[method]:.4f}"]
        assert cells in [[cell.strip() for cell in line.split("|")[1:-1]] for line in card.splitlines()]


def test_a_threshold_that_so_little_video_cannot_show_is_called_extrapolated(make_job: MakeJob) -> None:
    finished = make_job()
    for extrapolated in (False, True):
        threshold = {**finished.metrics["threshold"], "extrapolated": extrapolated}
        card = model_card(choose([edit_metrics(finished, threshold=threshold)], METHODS))
        assert ("(extrapolated: " in card) == extrapolated
        assert "| method" not in card, "there is nothing to compare with"


def test_tags_name_the_job_and_what_it_was_chosen_on(make_job: MakeJob) -> None:
    finished = make_job("ffp", seed=3)
    choice = choose([finished], METHODS)
    tags = version_tags(choice)

    assert (tags["method"], tags["camera"], tags["seed"]) == ("ffp", "01", "3")
    assert tags["fingerprint"] == finished.job.fingerprint
    assert tags["selected_on"] == choice.selected_on
    assert float(tags["threshold"]) == round(finished.metrics["threshold"]["value"], 4)
    assert {"git_commit", "data_version", "auc", "cross_fitted_auc", "auc_papers"} <= tags.keys()
