"""Work on many videos gives the same, in order, with any number of processes."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

import pytest

from vad_models.data.parallel import map_videos, progress_bar
from vad_models.errors import DataError


@pytest.mark.parametrize("workers", [1, 2])
def test_results_keep_their_order_and_progress_counts_frames(workers: int) -> None:
    told: list[tuple[int, int]] = []
    results = map_videos(
        abs, [-1, -2, -3], [10, 30, 20], workers, lambda done, total: told.append((done, total))
    )
    assert results == [1, 2, 3]
    assert told[-1] == (60, 60)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_failure_comes_through(workers: int) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        map_videos(int, ["1", "two", "3"], [1, 1, 1], workers)


def test_a_killed_process_is_a_sentence() -> None:
    with pytest.raises(DataError, match=r"killed .*: use fewer workers"):
        map_videos(_kill_oneself, [1, 2], [1, 1], workers=2)


def _kill_oneself(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


ORPHANS = """
from vad_models.data.parallel import map_videos
map_videos(exec, ["import time; print('up', flush=True); time.sleep(60)"] * 2, [1, 1], workers=2)
"""


def test_workers_end_with_a_killed_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == [b"up\n", b"up\n"]
        process.kill()
        process.communicate(timeout=20)  # ends with the last process that could write to the pipe


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_shows_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(stderr, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("decoding") as report:
        report(3, 4)
    assert ("decoding" in stderr.getvalue()) is terminal
