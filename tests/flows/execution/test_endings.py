from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ENDS = """
import sys, time
from pathlib import Path
from flows.execution import endings

endings._GRACE_SECONDS = 0.5

def note(name):
    Path(name).touch()

with endings.at_end(lambda: note("before")):
    pass
with endings.at_end(lambda: note("one")), endings.at_end(lambda: time.sleep(60)), endings.at_end(lambda: note("two")):
    try:
        endings.end(7)
    finally:
        note("unwound")
"""


def test_what_is_held_is_given_back_and_what_takes_too_long_is_given_up(tmp_path: Path) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", ENDS],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        timeout=60,
        check=False,
    )
    assert done.returncode == 7
    assert {file.name for file in tmp_path.iterdir()} == {"one", "two"}
    assert time.monotonic() - began < 30
