"""The servers of a team on one host: PostgreSQL and an S3 store, and MLflow and Prefect, which store everything there.

Their programs come from the package index (the extra `team`), and their files are in `.team/`. They listen on loopback.
Their passwords are created at the first start.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from flows.project.paths import Paths
from flows.servers import postgres, s3
from flows.servers.auth import (
    CONFIGURATION,
    check_auth,
    client_environment,
    make_user,
    mlflow_configuration,
    mlflow_environment,
    prefect_environment,
)
from flows.servers.local import (
    Server,
    mlflow_on,
    prefect_on,
    start,
)
from vad_models.data.files import atomic_path

__all__ = ["CREDENTIALS", "ENVIRONMENT", "start_team", "team_servers"]

CREDENTIALS = "credentials.json"
"""File in `.team/` with every password; only its owner can read it."""

ENVIRONMENT = "environment"
"""File in `.team/` with the environment variables that a command needs to use the servers, one `NAME=value` per line.
"""

_DATABASES = ("mlflow", "prefect")
_BUCKETS = ("dvc", "mlflow")
_SECRETS = (
    postgres.ADMINISTRATOR,
    *(f"postgres-{name}" for name in _DATABASES),
    s3.ADMINISTRATOR,
    *(f"s3-{name}" for name in _BUCKETS),
    "mlflow-administrator",
    "mlflow-user",
    "mlflow-signing",
    "prefect-user",
)


def team_servers(paths: Paths, auth: bool = False) -> list[Server]:
    """Return PostgreSQL, S3, MLflow and Prefect, in the order in which they start, whether they run or not.

    With `auth`, MLflow and Prefect ask for passwords as well.

    Raises:
        SettingsError: the extra `team` is not installed.
    """
    home = paths.team.absolute()
    passwords = _passwords(home)
    database = postgres.server(home)
    store = s3.server(home)
    backends = _backends(database, passwords)
    mlflow_auth, prefect_auth = (
        (
            mlflow_environment(home, passwords["mlflow-administrator"], passwords["mlflow-signing"]),
            prefect_environment(passwords["prefect-user"]),
        )
        if auth
        else ({}, {})
    )
    return [
        database,
        store,
        mlflow_on(
            home,
            MLFLOW_BACKEND_STORE_URI=backends["mlflow"],
            MLFLOW_ARTIFACTS_DESTINATION="s3://mlflow",
            **s3.environment(store, "mlflow", passwords["s3-mlflow"]),
            **mlflow_auth,
        ),
        prefect_on(home, PREFECT_SERVER_DATABASE_CONNECTION_URL=backends["prefect"], **prefect_auth),
    ]


def start_team(paths: Paths, auth: bool = False) -> Iterator[Server]:
    """Start the servers that do not run, yield each when it is ready, and then write the environment file.

    Args:
        paths: of the project.
        auth: whether MLflow and Prefect ask for passwords, which then are in the environment file.

    Raises:
        SettingsError: the extra `team` is not installed.
        JobError: a server did not start, or it already runs with the other choice of `auth`.
    """
    home = paths.team.absolute()
    database, store, mlflow, prefect = team_servers(paths, auth)
    passwords = _passwords(home)

    postgres.make_cluster(home, passwords[postgres.ADMINISTRATOR])
    start(database, paths.root)
    owners = {name: passwords[f"postgres-{name}"] for name in _DATABASES}
    postgres.make_databases(database, passwords[postgres.ADMINISTRATOR], owners)
    yield database

    keys = {name: passwords[f"s3-{name}"] for name in _BUCKETS}
    identities = s3.identities(passwords[s3.ADMINISTRATOR], keys)
    _write_private(home / s3.IDENTITIES, json.dumps(identities, indent=2))
    (home / s3.FOLDER).mkdir(exist_ok=True)
    start(store, paths.root)
    s3.make_buckets(store, passwords[s3.ADMINISTRATOR], _BUCKETS)
    yield store

    login: dict[str, str] = {}
    if auth:
        accounts = _backends(database, passwords)["mlflow"]
        _write_private(home / CONFIGURATION, mlflow_configuration(accounts))
        login = client_environment(passwords["mlflow-user"], passwords["prefect-user"])
    for server in (mlflow, prefect):
        start(server, paths.root)
        check_auth(server, auth)
        yield server
    if auth:
        make_user(mlflow, passwords["mlflow-administrator"], passwords["mlflow-user"])

    environment = {
        "PREFECT_API_URL": f"{prefect.url}/api",
        "MLFLOW_TRACKING_URI": mlflow.url,
        **login,
        **s3.environment(store, "dvc", passwords["s3-dvc"]),
    }
    _write_private(home / ENVIRONMENT, "".join(f"{name}={value}\n" for name, value in environment.items()))


def _backends(database: Server, passwords: Mapping[str, str]) -> dict[str, str]:
    """Return server -> URI of its database, with the driver that the server uses."""
    drivers = {"mlflow": "psycopg2", "prefect": "asyncpg"}
    return {
        name: f"postgresql+{drivers[name]}://{name}:{passwords[f'postgres-{name}']}@127.0.0.1:{database.port}/{name}"
        for name in _DATABASES
    }


def _passwords(home: Path) -> dict[str, str]:
    """Return name -> password; each is created when it is first needed, and read after that."""
    file = home / CREDENTIALS
    known: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    missing = {name: secrets.token_urlsafe(24) for name in _SECRETS if name not in known}
    if missing:
        _write_private(file, json.dumps({**known, **missing}, indent=2))
    return {**known, **missing}


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    with atomic_path(path) as temporary:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL, 0o600))
        temporary.write_text(text, encoding="utf-8")
