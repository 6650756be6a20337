"""Passwords for MLflow and Prefect: MLflow's basic-auth app, and the one password that all users of Prefect share."""

from __future__ import annotations

from pathlib import Path

import httpx

from flows.servers.client import client
from flows.servers.local import Server
from vad_models.errors import JobError

__all__ = [
    "ADMINISTRATOR",
    "CONFIGURATION",
    "USER",
    "check_auth",
    "client_environment",
    "make_user",
    "mlflow_configuration",
    "mlflow_environment",
    "prefect_environment",
]

ADMINISTRATOR = "administrator"
"""MLflow's account that creates other accounts."""

USER = "vad"
"""Account that commands and workers use on both servers."""

CONFIGURATION = "mlflow-auth.ini"
"""File in the server's home folder with MLflow's settings of accounts."""

_ASKED = {"mlflow": "/api/2.0/mlflow/experiments/search?max_results=1", "prefect": "/api/admin/version"}
"""Name of a server -> a path that needs its password; health checks need none."""

_USERS = "/api/2.0/mlflow/users"


def mlflow_configuration(database: str) -> str:
    """Return MLflow's settings for accounts, which are kept in `database`, a SQLAlchemy URI.

    An account may do everything except create accounts, as suits a project that a small team shares: workers resume
    runs that others began, and a study replaces its older run.
    """
    # A password is checked once per minute, not at every request, because the check is slow on purpose.
    return (
        f"[mlflow]\ndatabase_uri = {database}\ndefault_permission = MANAGE\nauth_cache_ttl_seconds = 60\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )


def mlflow_environment(home: Path, administrator: str, signing: str) -> dict[str, str]:
    """Return the environment variables that make `mlflow/start.sh` ask for passwords.

    Args:
        home: folder that holds `CONFIGURATION` when the server starts.
        administrator: password of `ADMINISTRATOR`, which is created at the first start.
        signing: key of the tokens in MLflow's forms; the same at every start.
    """
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(home / CONFIGURATION),
        "MLFLOW_AUTH_ADMIN_USERNAME": ADMINISTRATOR,
        "MLFLOW_AUTH_ADMIN_PASSWORD": administrator,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": signing,
    }


def prefect_environment(password: str) -> dict[str, str]:
    """Return the environment variables that make Prefect's server ask for the password of `USER`."""
    return {"PREFECT_SERVER_API_AUTH_STRING": f"{USER}:{password}"}


def client_environment(mlflow: str, prefect: str) -> dict[str, str]:
    """Return the environment variables with which commands and workers log in as `USER`."""
    return {
        "MLFLOW_TRACKING_USERNAME": USER,
        "MLFLOW_TRACKING_PASSWORD": mlflow,
        "PREFECT_API_AUTH_STRING": f"{USER}:{prefect}",
    }


def make_user(server: Server, administrator: str, password: str) -> None:
    """Create MLflow's account `USER` if it is missing.

    Args:
        server: MLflow's server, which must be ready.
        administrator: password of `ADMINISTRATOR`.
        password: of `USER`.

    Raises:
        JobError: MLflow refuses, for example because the administrator has another password.
    """
    with client(server.url, auth=(ADMINISTRATOR, administrator)) as users:
        if users.get(f"{_USERS}/get", params={"username": USER}).is_success:
            return
        answer = users.post(f"{_USERS}/create", json={"username": USER, "password": password})
    if not answer.is_success:
        raise JobError(
            f"MLflow did not create the account '{USER}' ({answer.status_code}: {answer.text[:200]}): its "
            "administrator must have the password in .team/credentials.json."
        )


def check_auth(server: Server, auth: bool) -> None:
    """Check that a running server asks for a password if, and only if, `auth` is true.

    Raises:
        JobError: the server was started with the other choice.
    """
    with client(server.url) as anybody:
        answer = anybody.get(_ASKED[server.name])
    if (answer.status_code == httpx.codes.UNAUTHORIZED) != auth:
        asks, choice = ("no password", "with") if auth else ("a password", "without")
        raise JobError(
            f"the {server.name} server already runs and asks for {asks}: stop it with `vad server stop`, and start it "
            f"again {choice} --auth."
        )
