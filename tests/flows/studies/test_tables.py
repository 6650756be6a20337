"""Tables of studies: a row per cell, means over seeds, and the command of every row."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from flows.results.tables import RATES
from flows.studies.robustness import STUDY
from flows.studies.tables import study_table
from vad_models.errors import DataError

CELL = ["distortion", "severity", "brightness", "rain"]


def cell(method: str, seed: int, auc: float, **condition: Any) -> dict[str, Any]:
    return {
        "dataset": "toy", "camera": "01", "method": method, "variant": "default", "seed": str(seed), "profile": "cpu",
        "distortion": "weather", "severity": 0, "brightness": 1.0, "rain": "none", **condition,
        "signal": "reconstruction", "headline": True, "normalisation": "per_video", "labels": "official",
        "frames_scored": 100, "auc_micro": auc, "auc_low": auc - 0.1, "auc_high": auc + 0.1, "auc_macro": auc,
        "eer": 0.2, "average_precision": 0.5, "fingerprint": f"{method}{seed}", "git_commit": "abc",
    }  # fmt: skip


FOG = {"distortion": "fog", "severity": 3}


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [
        cell("conv_ae", 0, 0.8), cell("conv_ae", 1, 0.7), cell("conv_ae", 0, 0.6, **FOG),
        cell("ffp", 0, 0.9, variant="optical_flow"),
    ]  # fmt: skip
    return study_table(STUDY, rows, 0.95)


def test_columns(table: pd.DataFrame) -> None:
    assert list(table.columns) == [
        *("dataset", "camera", "method", "variant", "seed", "profile", *CELL),
        *("signal", "headline", "normalisation", "labels", "frames_scored", *RATES),
        *("fingerprint", "git_commit", "command"),
    ]


def test_rows_name_their_commands(table: pd.DataFrame) -> None:
    commands = table[table["method"] == "ffp"].set_index("seed")["command"]
    assert commands["0"] == "vad robustness --dataset toy --method ffp_optical_flow --seed 0"
    assert commands["all"] == "vad robustness --dataset toy --method ffp_optical_flow"


def test_rows_of_seed_all_are_means_with_an_interval(table: pd.DataFrame) -> None:
    clean = table.query("method == 'conv_ae' and seed == 'all' and distortion == 'weather'").iloc[0]
    assert clean["auc_micro"] == 0.75
    assert 0 <= clean["auc_low"] < 0.75 < clean["auc_high"] <= 1


def test_one_seed_keeps_its_interval(table: pd.DataFrame) -> None:
    fog = table.query("seed == 'all' and distortion == 'fog'").iloc[0]
    assert (fog["auc_low"], fog["auc_high"]) == (0.5, 0.7)


def test_without_labels_there_is_no_table() -> None:
    with pytest.raises(DataError, match="a table of robustness needs labelled test video"):
        study_table(STUDY, [], 0.95)


def test_a_mean_of_two_commits_names_none() -> None:
    rows = [cell("ffp", 0, 0.8), {**cell("ffp", 1, 0.7), "git_commit": "def"}]
    table = study_table(STUDY, rows, 0.95).set_index("seed")
    assert table["git_commit"].isna().to_dict() == {"0": False, "1": False, "all": True}
