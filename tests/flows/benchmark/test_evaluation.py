"""Files that `vad evaluate` writes for DVC's plots."""

from __future__ import annotations

import pandas as pd

from flows.benchmark.evaluation import _write_plots
from flows.project.paths import Paths
from tests.flows.made_up import MakeJob
from vad_models.jobs.finished import read_finished


def test_a_method_without_epochs_has_a_roc_and_no_losses(paths: Paths, make_job: MakeJob) -> None:
    learned, fitted = make_job("conv_ae"), make_job("nearest_subspace")
    pd.DataFrame(columns=["phase", "epoch"]).to_csv(fitted.directory / "history.csv", index=False)
    _write_plots(paths, "toy", [learned, read_finished(fitted.directory)])
    written = {
        path.relative_to(paths.plots / "toy").as_posix() for path in (paths.plots / "toy").rglob("*.csv")
    }
    assert written == {"roc/conv_ae.csv", "roc/nearest_subspace.csv", "training/conv_ae.csv"}
