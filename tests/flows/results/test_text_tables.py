"""Result tables for readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flows.results.tables import build_results
from flows.results.targets import Target
from flows.results.text_tables import (
    comparison_rows,
    interval_text,
    number_text,
    readme_table,
    refresh_readme,
    target_text,
)
from tests.flows.made_up import MakeJob
from vad_models.jobs.finished import FinishedJob


def test_the_best_method_comes_first_and_the_controls_last(benchmark: list[FinishedJob]) -> None:
    rows = comparison_rows(build_results(benchmark), "training")
    assert [row.method for row in rows] == ["ffp", "conv_ae", "random", "video_prior"]
    assert [row.seeds for row in rows] == [2, 2, 0, 0]
    assert rows[0].auc["training"][0] > rows[1].auc["training"][0]
    assert rows[0].frames_scored == 2 * 4 * 36
    assert rows[2].control


def test_other_signals_stand_below_the_headline(make_job: MakeJob) -> None:
    rows = comparison_rows(
        build_results([make_job("decoupled", signals=("latent", "prediction"))]), "training"
    )
    assert [(row.signal, row.headline) for row in rows[:2]] == [("latent", True), ("prediction", False)]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_the_readme_table_is_markdown_that_says_what_it_shows(benchmark: list[FinishedJob]) -> None:
    results = build_results(benchmark)
    table = readme_table(results, "training")
    lines = table.splitlines()
    assert cells(lines[0])[:7] == [
        *("method", "signal", "seeds", "frames", "AUC `training`", "AUC `per_video`", "EER"),
    ]
    best = comparison_rows(results, "training")[0]
    aucs = [interval_text(best.auc[how]) for how in ("training", "per_video")]
    assert cells(lines[2])[:7] == ["ffp", "reconstruction", "2", "288", *aucs, f"{best.eer:.3f}"]
    assert "*control: random scores*" in table
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    assert "labels `official`" in lines[-1]


def test_rates_are_under_the_deployable_normalisation_that_is_set(make_job: MakeJob) -> None:
    results = build_results([make_job()])
    entries = results[(results["seed"] == "all") & (results["method"] == "conv_ae")].set_index(
        "normalisation"
    )
    for how in ("training", "causal"):
        row = comparison_rows(results, how)[0]
        assert (row.eer, row.auc_under(how)[0]) == (entries.at[how, "eer"], entries.at[how, "auc_micro"])
        assert cells(readme_table(results, how).splitlines()[0])[4] == f"AUC `{how}`"


def test_the_readme_table_shows_headline_signals_only(make_job: MakeJob) -> None:
    results = build_results([make_job("decoupled", signals=("latent", "prediction"))])
    shown = [
        cells(line)[:2] for line in readme_table(results, "training").splitlines() if line.startswith("|")
    ]
    assert ["decoupled", "latent"] in shown and ["decoupled", "prediction"] not in shown


def test_targets_are_a_column_with_whether_they_were_met(benchmark: list[FinishedJob]) -> None:
    results = build_results(benchmark)
    rows = {row.method: row for row in comparison_rows(results, "training")}
    reached = rows["ffp"].auc["per_video"][0]
    targets = {
        "ffp": Target(reached, "per_video", "the project's own aim"),
        "conv_ae": Target(0.99, "per_video", "the project's own aim"),
    }
    lines = readme_table(results, "training", targets).splitlines()
    assert cells(lines[0])[6] == "target"
    assert [cells(line)[6] for line in lines[2:6]] == [f"{reached:.2f} met", "0.99 missed", "", ""]
    assert lines[-1].endswith("Targets are the project's own aim, for the AUC under per_video.")


def test_without_labels_a_method_comes_last_and_its_target_is_neither_met_nor_missed(
    make_job: MakeJob,
) -> None:
    results = build_results([make_job(labelled=False)])
    target = Target(0.5, "per_video", "the project's own aim")
    (row,) = comparison_rows(results, "causal", {"conv_ae": target})
    assert row.target_met is None and target_text(row) == "0.50"
    assert np.isnan(row.auc_under("causal")[0])


def test_readme_is_refreshed_between_its_markers_only(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- results:toy -->\nold\n<!-- /results -->\nafter <!-- /results -->\n")
    assert refresh_readme(readme, "toy", "| new \\1 |")
    assert readme.read_text() == (
        "before\n<!-- results:toy -->\n\n| new \\1 |\n\n<!-- /results -->\nafter <!-- /results -->\n"
    )
    assert not refresh_readme(readme, "toy", "| new \\1 |")
    assert not refresh_readme(readme, "other", "| new |")
    assert not refresh_readme(tmp_path / "absent.md", "toy", "| new |")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.9341, 0.92, 0.95), "0.934 (0.920–0.950)"),
        ((0.5, float("nan"), float("nan")), "0.500"),
        ((float("nan"),) * 3, ""),
    ],
)
def test_intervals_are_written_only_where_there_are_any(
    values: tuple[float, float, float], text: str
) -> None:
    assert interval_text(values) == text
    assert number_text(float("nan"), 2) == ""
