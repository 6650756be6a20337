"""What distortion costs a method."""

from __future__ import annotations

import pandas as pd
import pytest

from flows.studies.robustness_results import degradation
from flows.studies.tables import study_table
from tests.flows.studies.test_tables import FOG, cell


@pytest.fixture
def table() -> pd.DataFrame:
    return study_table(
        "robustness",
        [
            cell("conv_ae", 0, 0.8), cell("conv_ae", 1, 0.7),
            cell("conv_ae", 0, 0.6, **FOG), cell("conv_ae", 1, 0.6, **FOG),
            cell("ffp", 0, 0.9), cell("ffp", 0, 0.8, **FOG),
        ],
        ["distortion", "severity", "brightness", "rain"],
        0.95,
    )  # fmt: skip


def test_degradation_is_the_mean_loss_and_the_errors_against_conv_ae(table: pd.DataFrame) -> None:
    summary = degradation(table, "per_video").set_index("method")
    assert summary.at["ffp", "clean"] == 0.9 and summary.at["ffp", "distorted"] == 0.8
    assert summary.at["ffp", "degradation"] == pytest.approx(0.1)
    assert summary.at["ffp", "corruption_error"] == pytest.approx(0.2 / 0.4)
    assert summary.at["conv_ae", "corruption_error"] == 1
