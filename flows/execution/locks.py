"""One process at a time, among all that share the project's folder: two commands, or the workers of several machines.

A lock is one on a file, which the kernel takes back when its holder dies, however it dies; NFS 4 does that across
machines. Leases on Prefect's server (`flows.execution.leases`) would outlive their holder by a minute, and two
commands that each bring a server of their own would not see each other's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from flows.project.paths import Paths

__all__ = ["alone"]

log = logging.getLogger(__name__)


@contextmanager
def alone(paths: Paths, what: str) -> Iterator[None]:
    """Do `what`, such as `runs/campus/ffp/01/seed0`, while no other process or thread does; waits as long as one does.

    Look inside the block at what the other has done. The lock cannot be taken again within its own block.

    Raises:
        OSError: the file system of the project has no locks.
    """
    file = paths.locks / f"{what}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    # A lock that is a mere file outlives its holder, so filelock must not fall back to one; a block may end in another
    # thread than the one that it began in.
    lock = FileLock(file, fallback_to_soft=False, thread_local=False)
    try:
        held = lock.acquire(blocking=False)
    except Timeout:
        log.warning("%s: another process is at it; waiting until it is done.", what)
        held = lock.acquire()
    with held:
        yield
