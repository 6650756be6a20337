from __future__ import annotations

import errno
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.execution.locks import alone
from flows.project.paths import Paths

HOLDS = """
import sys
from pathlib import Path
from flows.execution.locks import alone
from flows.project.paths import Paths

with alone(Paths(Path()), sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another(root: Path, what: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDS, what]
    environment = {"PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        command, cwd=root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        try:
            yield other
        finally:
            other.kill()


def test_a_second_process_waits_and_says_so_until_the_first_has_died(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entered = threading.Event()

    def enter() -> None:
        with alone(Paths(tmp_path), "runs/toy/ffp/01/seed0"):
            entered.set()

    with held_by_another(tmp_path, "runs/toy/ffp/01/seed0") as other:
        with alone(Paths(tmp_path), "runs/toy/ffp/02/seed0"):
            pass  # another job is nobody's
        with caplog.at_level(logging.WARNING, "flows.execution.locks"):
            waiting = threading.Thread(target=enter)
            waiting.start()
            assert not entered.wait(1)
        assert "runs/toy/ffp/01/seed0: another process is working on it" in caplog.text
        other.kill()
        assert entered.wait(10)
        waiting.join()


def test_a_lock_is_given_back_when_the_block_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), alone(Paths(tmp_path), "toy"):
        raise ValueError("inside")
    with alone(Paths(tmp_path), "toy"):
        pass


def test_threads_of_one_process_wait_for_each_other(tmp_path: Path) -> None:
    inside, most = 0, 0

    def enter() -> None:
        nonlocal inside, most
        with alone(Paths(tmp_path), "toy"):
            inside += 1
            most = max(most, inside)
            time.sleep(0.02)
            inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (inside, most) == (0, 1)


def test_a_lock_that_is_taken_again_in_its_own_block_is_an_error_and_no_endless_wait(tmp_path: Path) -> None:
    with (
        alone(Paths(tmp_path), "toy"),
        pytest.raises(RuntimeError, match="Deadlock"),
        alone(Paths(tmp_path), "toy"),
    ):
        pass


def test_a_file_system_without_locks_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(OSError, match="not implemented"), alone(Paths(tmp_path), "toy"):
        pass
