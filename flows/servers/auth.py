"""MLflow and Prefect behind passwords: MLflow's basic-auth app, and the one string that Prefect asks everybody for."""

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
"""MLflow's account that makes accounts."""

USER = "vad"
"""Account of both servers that commands and workers use."""

CONFIGURATION = "mlflow-auth.ini"
"""File in the home of the server: MLflow's settings of accounts."""

_ASKED = {"mlflow": "/api/2.0/mlflow/experiments/search?max_results=1", "prefect": "/api/admin/version"}
"""Of each server, a path that it hides behind its password; those of health are open."""

_USERS = "/api/2.0/mlflow/users"


def mlflow_configuration(database: str) -> str:
    """MLflow's settings of accounts, which are kept in `database`, a URI of SQLAlchemy.

    Whoever has an account may do everything but make accounts, as in a project that a small team shares: workers resume
    runs that others began, and a study replaces its older run.
    """
    # A password is checked once a minute, not at every request: the check is slow on purpose.
    return (
        f"[mlflow]\ndatabase_uri = {database}\ndefault_permission = MANAGE\nauth_cache_ttl_seconds = 60\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )


def mlflow_environment(home: Path, administrator: str, signing: str) -> dict[str, str]:
    """What makes `mlflow/start.sh` ask for passwords.

    Args:
        home: holds `CONFIGURATION` when the server starts.
        administrator: password of `ADMINISTRATOR`, who is made at the first start.
        signing: key of the tokens in MLflow's forms; the same at every start.
    """
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(home / CONFIGURATION),
        "MLFLOW_AUTH_ADMIN_USERNAME": ADMINISTRATOR,
        "MLFLOW_AUTH_ADMIN_PASSWORD": administrator,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": signing,
    }


def prefect_environment(password: str) -> dict[str, str]:
    """What makes Prefect's server ask for the password of `USER`."""
    return {"PREFECT_SERVER_API_AUTH_STRING": f"{USER}:{password}"}


def client_environment(mlflow: str, prefect: str) -> dict[str, str]:
    """What commands and workers need in their environment to log in, with the passwords of `USER`."""
    return {
        "MLFLOW_TRACKING_USERNAME": USER,
        "MLFLOW_TRACKING_PASSWORD": mlflow,
        "PREFECT_API_AUTH_STRING": f"{USER}:{prefect}",
    }


def make_user(server: Server, administrator: str, password: str) -> None:
    """Make MLflow's account `USER` where it is missing.

    Args:
        server: MLflow's, ready.
        administrator: password of `ADMINISTRATOR`.
        password: of `USER`.

    Raises:
        JobError: MLflow refuses, as when the administrator has another password.
    """
    with client(server.url, auth=(ADMINISTRATOR, administrator)) as users:
        if users.get(f"{_USERS}/get", params={"username": USER}).is_success:
            return
        answer = users.post(f"{_USERS}/create", json={"username": USER, "password": password})
    if not answer.is_success:
        raise JobError(
            f"MLflow made no account '{USER}' ({answer.status_code}: {answer.text[:200]}): its administrator must have "
            "the password of .team/credentials.json."
        )


def check_auth(server: Server, auth: bool) -> None:
    """Check that a server asks for a password, or does not, as it was told to at its start.

    Raises:
        JobError: it was started otherwise, before.
    """
    with client(server.url) as anybody:
        answer = anybody.get(_ASKED[server.name])
    if (answer.status_code == httpx.codes.UNAUTHORIZED) != auth:
        asks, choice = ("no password", "with") if auth else ("a password", "without")
        raise JobError(
            f"the {server.name} server that runs already asks for {asks}: stop it with `vad server stop`, and start it "
            f"again {choice} --auth."
        )
