"""Targets are data, and a broken table of targets is refused with one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flows.results.tables import read_results
from flows.results.targets import Target, read_targets
from vad_models.errors import DataError
from vad_models.settings import load_params

ROOT = Path(__file__).parents[3]
HEAD = "dataset,method,normalisation,auc,source\n"


def test_a_dataset_has_its_own_targets(tmp_path: Path) -> None:
    file = tmp_path / "targets.csv"
    file.write_text(f"{HEAD}toy,ffp,per_video,0.9,somebody\nother,ffp,training,0.5,somebody\n")
    assert read_targets(file, "toy") == {"ffp": Target(0.9, "per_video", "somebody")}
    assert read_targets(file, "third") == {} == read_targets(tmp_path / "absent.csv", "toy")


def test_a_target_is_met_from_its_value_on() -> None:
    target = Target(0.9, "per_video", "somebody")
    assert target.met_by(0.9) is True
    assert target.met_by(0.8999) is False
    assert target.met_by(np.nan) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dataset,method,auc\n", "they must be dataset, method, normalisation, auc, source"),
        (
            f"{HEAD}toy,ffp,minmax,0.9,x\n",
            "the normalisation 'minmax' for ffp on toy; allowed are none, per_video",
        ),
        (f"{HEAD}toy,ffp,per_video,90,x\n", "the AUC 90.* for ffp on toy; it must be between 0 and 1"),
        (f"{HEAD}toy,ffp,per_video,0.9,x\ntoy,ffp,training,0.9,x\n", "names ffp on toy twice"),
    ],
)
def test_a_broken_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "targets.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        read_targets(tmp_path / "targets.csv", "toy")


def test_the_projects_targets_are_about_methods_that_exist_and_were_measured() -> None:
    targets = read_targets(ROOT / "results" / "targets.csv", "ucsd_ped2")
    results = read_results(ROOT / "results" / "ucsd_ped2.csv")
    assert set(targets) <= set(load_params(ROOT / "params.yaml").methods)
    assert {label.split("_plain")[0] for label in targets} <= set(results["method"])
