"""Locks between all processes that share the project's folder, such as two commands or the workers of several machines.

They are locks on files, which the kernel releases when their holder dies for whatever reason; with NFS 4 they work
across machines. Leases on Prefect's server (`flows.execution.leases`) would outlive their holder by a minute, and two
commands that each start their own server would not see each other's leases.
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
    """Wait until no other process or thread holds the lock `what`, and hold it while the block runs.

    Another process may have finished the same work in the meantime, so check for its result inside the block. The lock
    is not reentrant.

    Args:
        paths: of the project.
        what: name of the lock, such as `runs/campus/ffp/01/seed0`.

    Raises:
        OSError: the project's file system does not support locks.
    """
    file = paths.locks / f"{what}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    # A lock that consists of a mere file outlives its holder, so filelock must not fall back to one. A block may end in
    # another thread than the one that it began in.
    lock = FileLock(file, fallback_to_soft=False, thread_local=False)
    try:
        held = lock.acquire(blocking=False)
    except Timeout:
        log.warning("%s: another process is working on it; waiting until it is done.", what)
        held = lock.acquire()
    with held:
        yield
