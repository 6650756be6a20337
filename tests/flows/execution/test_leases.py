from __future__ import annotations

import threading
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from flows.execution import leases


class FakeServer:
    """What leases ask of Prefect's client; renewals answer `codes` in turn, and set `over` at the last."""

    def __init__(self, codes: list[int], free: bool = True) -> None:
        self.codes, self.free, self.over = codes, free, threading.Event()
        self.taken: list[UUID] = []

    def renew_concurrency_lease(self, key: UUID, seconds: float) -> None:
        code = self.codes.pop(0)
        if not self.codes:
            self.over.set()
        if code == 0:
            raise httpx.ConnectError("away")
        _answer(code)

    def increment_concurrency_slots_with_lease(self, names: list[str], *_: Any) -> httpx.Response:
        if not self.free:
            _answer(423)
        self.taken.append(uuid4())
        return httpx.Response(200, json={"lease_id": str(self.taken[-1])})

    def api_healthcheck(self) -> Exception | None:
        return httpx.ConnectError("away") if self.codes.pop(0) == 0 else None


def _answer(code: int) -> None:
    request = httpx.Request("POST", "http://127.0.0.1")
    httpx.Response(code, request=request).raise_for_status()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_RENEWAL_SECONDS", 0)
    monkeypatch.setattr(leases, "_LOOK_SECONDS", 0)


def keep(server: FakeServer) -> UUID:
    lease = leases._Lease("host cpu:0", uuid4(), server)  # type: ignore[arg-type]
    lease.keep(server.over)
    return lease.key


def test_a_server_that_is_away_is_waited_for() -> None:
    server = FakeServer([200, 0, 503, 200])
    keep(server)
    assert server.codes == [] and server.taken == []


def test_a_lease_that_ran_out_is_taken_again() -> None:
    server = FakeServer([410, 200])
    assert keep(server) == server.taken[0]


def test_a_job_whose_slot_somebody_else_took_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(leases._thread, "interrupt_main", lambda: ended.append(True))
    keep(FakeServer([410, 200], free=False))
    assert ended == [True]


def test_a_job_that_begins_while_the_server_is_away_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer([0, 0, 200])
    leases._meet(server)  # type: ignore[arg-type]
    assert server.codes == []

    monkeypatch.setattr(leases, "_AWAY_SECONDS", -1)
    with pytest.raises(httpx.ConnectError, match="away"):
        leases._meet(FakeServer([0]))  # type: ignore[arg-type]
