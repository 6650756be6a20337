"""Processor, memory, disk, network and GPU of the machine beside a job's losses, as MLflow measures them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from flows.project.paths import Paths
from flows.tracking.runs import tracking_uri

__all__ = ["system_metrics"]

_INTERVAL = 30
"""Seconds between samples, where MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL says nothing: some ten numbers each time."""


@contextmanager
def system_metrics(paths: Paths, run_id: str) -> Iterator[None]:
    """Log `system/...` metrics of the machine with a RUNNING run while the block runs; a resumed run goes on counting.

    They are of the whole machine: jobs that run at once show the same load. A server that does not answer ends them
    with a warning, not the job.
    """
    # It reports each start and end of its thread; what goes wrong it warns of.
    logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)
    monitor = SystemMetricsMonitor(
        run_id, sampling_interval=_INTERVAL, resume_logging=True, tracking_uri=tracking_uri(paths)
    )
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
