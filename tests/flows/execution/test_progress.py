from __future__ import annotations

import json
import threading
from pathlib import Path

from flows.execution.progress import report_progress, watch


def test_progress_is_one_whole_file(tmp_path: Path) -> None:
    report_progress(tmp_path / "progress.json", 3, 8)
    assert [file.name for file in tmp_path.iterdir()] == ["progress.json"]
    assert json.loads((tmp_path / "progress.json").read_text()) == {"done": 3, "total": 8}


def test_watch_returns_when_every_job_has_ended(tmp_path: Path) -> None:
    ended = {"a"}
    report_progress(tmp_path / "b", 1, 2)
    threading.Timer(0.7, ended.add, ("b",)).start()

    watch({"a": tmp_path / "a", "b": tmp_path / "b"}, ended)

    assert ended == {"a", "b"}
