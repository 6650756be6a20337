"""The robustness table: means over seeds, and what distortion costs."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from flows.robustness_results import COLUMNS, degradation, robustness_table
from vad_models.errors import DataError


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
    return robustness_table(
        [
            cell("conv_ae", 0, 0.8), cell("conv_ae", 1, 0.7),
            cell("conv_ae", 0, 0.6, **FOG), cell("conv_ae", 1, 0.6, **FOG),
            cell("ffp", 0, 0.9), cell("ffp", 0, 0.8, **FOG),
        ]
    )  # fmt: skip


def test_columns_and_commands(table: pd.DataFrame) -> None:
    assert list(table.columns) == list(COLUMNS)
    one = table.query("method == 'ffp' and seed == '0'").iloc[0]
    assert one["command"] == "vad robustness --dataset toy --method ffp --camera 01 --seed 0"


def test_rows_of_seed_all_are_means_with_an_interval(table: pd.DataFrame) -> None:
    clean = table.query("method == 'conv_ae' and seed == 'all' and distortion == 'weather'").iloc[0]
    assert clean["auc_micro"] == 0.75
    assert 0 <= clean["auc_low"] < 0.75 < clean["auc_high"] <= 1
    assert clean["command"] == "vad robustness --dataset toy --method conv_ae"


def test_degradation_is_the_mean_loss_and_the_errors_against_conv_ae(table: pd.DataFrame) -> None:
    summary = degradation(table, "per_video").set_index("method")
    assert summary.at["ffp", "clean"] == 0.9 and summary.at["ffp", "distorted"] == 0.8
    assert summary.at["ffp", "degradation"] == pytest.approx(0.1)
    assert summary.at["ffp", "corruption_error"] == pytest.approx(0.2 / 0.4)
    assert summary.at["conv_ae", "corruption_error"] == 1


def test_without_labels_there_is_no_table() -> None:
    with pytest.raises(DataError, match="needs labelled test video"):
        robustness_table([])
