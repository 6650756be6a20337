from __future__ import annotations

import threading
from pathlib import Path

from flows.execution.progress import report_progress, watch


def test_progress_is_one_file_in_the_jobs_directory(tmp_path: Path) -> None:
    report_progress(tmp_path, 3, 8)
    assert [file.name for file in tmp_path.iterdir()] == ["progress.json"]


def test_watch_returns_when_every_job_has_ended(tmp_path: Path) -> None:
    ended = {"a"}
    report_progress(tmp_path / "b", 1, 2)
    threading.Timer(0.7, ended.add, ("b",)).start()

    watch({"a": tmp_path / "a", "b": tmp_path / "b"}, ended)

    assert ended == {"a", "b"}
