"""Load of the machine next to a job's losses: processor, memory, disk, network and GPU, as MLflow measures them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from flows.project.paths import Paths
from flows.tracking.runs import tracking_uri

__all__ = ["system_metrics"]

_INTERVAL = 30
"""Default of MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL, seconds between samples of about ten numbers each."""


@contextmanager
def system_metrics(paths: Paths, run_id: str) -> Iterator[None]:
    """Log `system/...` metrics in a RUNNING run while the block runs; a resumed run continues their steps.

    They describe the whole machine, so jobs that run at once show the same load. If the server does not answer, they
    end with a warning, and the job continues.
    """
    # MLflow logs each start and end of its thread; only its warnings matter.
    logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)
    monitor = SystemMetricsMonitor(
        run_id, sampling_interval=_INTERVAL, resume_logging=True, tracking_uri=tracking_uri(paths)
    )
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
