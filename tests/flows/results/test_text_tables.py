"""Result tables as people read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.results.tables import build_results
from flows.results.text_tables import (
    comparison_rows,
    interval_text,
    number_text,
    readme_table,
    refresh_readme,
)
from tests.flows.made_up import MakeJob
from vad_models.jobs.finished import FinishedJob


def test_the_best_method_comes_first_and_the_controls_last(benchmark: list[FinishedJob]) -> None:
    rows = comparison_rows(build_results(benchmark))
    assert [row.method for row in rows] == ["ffp", "conv_ae", "random", "video_prior"]
    assert [row.seeds for row in rows] == [2, 2, 0, 0]
    assert rows[0].auc["per_video"][0] > rows[1].auc["per_video"][0]
    assert rows[0].frames_scored == 2 * 4 * 36
    assert rows[2].control


def test_other_signals_stand_below_the_headline(make_job: MakeJob) -> None:
    rows = comparison_rows(build_results([make_job("decoupled", signals=("latent", "prediction"))]))
    assert [(row.signal, row.headline) for row in rows[:2]] == [("latent", True), ("prediction", False)]


def test_the_readme_table_is_markdown_that_says_what_it_shows(benchmark: list[FinishedJob]) -> None:
    table = readme_table(build_results(benchmark))
    lines = table.splitlines()
    assert lines[0].startswith(
        "| method | signal | seeds | frames | AUC `per_video` | AUC `training` | AUC `none` |"
    )
    assert lines[2].startswith("| ffp | reconstruction | 2 | 288 | 0.")
    assert "*control: random scores*" in table
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    assert "labels `official`" in lines[-1]


def test_the_readme_table_shows_headline_signals_only(make_job: MakeJob) -> None:
    table = readme_table(build_results([make_job("decoupled", signals=("latent", "prediction"))]))
    assert "| decoupled | latent |" in table and "| decoupled | prediction |" not in table


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
