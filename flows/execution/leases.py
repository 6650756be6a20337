"""Hold one of several Prefect concurrency limits, whichever becomes free first.

Prefect's own `concurrency()` waits for a single limit; used to try several, it would log an error for each that is
taken. A limit is held by a lease, which is renewed while its holder lives and expires soon after its holder has died.
"""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectAlreadyExists

from flows.execution.endings import at_end

__all__ = ["hold_one"]

_LEASE_SECONDS = 60  # Prefect allows no less
_RENEWAL_SECONDS = 15
_LOOK_SECONDS = 0.5
_AWAY_SECONDS = 120  # a server that restarts is back by then


@dataclass(eq=False)
class _Lease:
    name: str
    key: UUID
    client: SyncPrefectClient

    def keep(self, over: threading.Event) -> None:
        """Renew the lease until `over` is set; wait for a server that does not answer."""
        while not over.wait(_RENEWAL_SECONDS):
            try:
                self.client.renew_concurrency_lease(self.key, _LEASE_SECONDS)
            except httpx.TransportError:
                continue
            except httpx.HTTPStatusError as refused:
                if refused.response.status_code != httpx.codes.GONE:
                    continue
                # The lease expired while the server was down or this machine was asleep.
                again = _take(self.client, self.name)
                if again is None:
                    _thread.interrupt_main()  # somebody else holds the limit now: one of the two has to end
                    return
                self.key = again.key

    def give_back(self) -> None:
        with suppress(httpx.HTTPError):  # without a server the lease expires by itself
            self.client.release_concurrency_slots_with_lease(self.key)


@contextmanager
def hold_one(names: Sequence[str]) -> Iterator[str]:
    """Wait until one of the limits `names` is free, and hold it while the block runs; yields its name.

    Raises:
        httpx.HTTPError: Prefect's server has not answered for two minutes.
    """
    with get_client(sync_client=True) as client:
        _meet(client)
        for name in names:
            with suppress(ObjectAlreadyExists):  # another process created it at the same moment
                client.upsert_global_concurrency_limit_by_name(name, 1)
        lease = _wait_for_one(client, names)
        over = threading.Event()
        threading.Thread(target=lease.keep, args=[over], daemon=True).start()
        try:
            with at_end(lease.give_back):
                yield lease.name
        finally:
            over.set()
            lease.give_back()


def _meet(client: SyncPrefectClient) -> None:
    """Wait until the server answers. After that, the client itself waits a minute for a server that goes down."""
    deadline = time.monotonic() + _AWAY_SECONDS
    while (trouble := client.api_healthcheck()) is not None:
        if time.monotonic() > deadline:
            raise trouble
        time.sleep(_LOOK_SECONDS)


def _wait_for_one(client: SyncPrefectClient, names: Sequence[str]) -> _Lease:
    while True:
        for name in names:
            if (lease := _take(client, name)) is not None:
                return lease
        time.sleep(_LOOK_SECONDS)


def _take(client: SyncPrefectClient, name: str) -> _Lease | None:
    """Return a lease on the limit, or None if it is taken."""
    try:
        answer = client.increment_concurrency_slots_with_lease([name], 1, "concurrency", _LEASE_SECONDS)
    except httpx.HTTPStatusError as refused:
        if refused.response.status_code != httpx.codes.LOCKED:
            raise
        return None
    return _Lease(name, UUID(answer.json()["lease_id"]), client)
