"""The environment variables that the project reads, validated. docs/environment.md lists them in a table.

They determine where and how something runs, and never change a number: scientific settings are in `params.yaml`.
An empty variable counts as not set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from vad_models.errors import SettingsError

__all__ = ["Environment", "JobEnvironment", "ServerEnvironment"]


@dataclass(frozen=True)
class _Allowed:
    """Allowed values of a variable, in the words of messages and of the documentation."""

    text: str


_COUNT = Field(ge=1), _Allowed("a whole number, 1 or more")
_PORT = Field(ge=1, le=65535), _Allowed("a port, 1 to 65535")
_URL = Field(pattern="^https?://[^/]+"), _Allowed("an address that begins with http:// or https://")


class Environment(BaseSettings):
    """Base of the classes below. Each field is the variable of the same name in upper case."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, use_attribute_docstrings=True)

    @classmethod
    def read(cls) -> Self:
        """Read the variables as they are set now.

        Raises:
            SettingsError: a variable has a value that is not allowed.
        """
        try:
            return cls()
        except ValidationError as invalid:
            first = invalid.errors()[0]
            name = str(first["loc"][0]).lower()
            allowed = cls.allowed(cls.model_fields[name])
            raise SettingsError(
                f"{name.upper()} = {first['input']!r} is not allowed: it must be {allowed}."
            ) from None

    @staticmethod
    def allowed(field: FieldInfo) -> str:
        """Return the allowed values of a field's variable, in words."""
        return next(one.text for one in field.metadata if isinstance(one, _Allowed))


class JobEnvironment(Environment):
    """How many jobs run at once, and on which devices and cluster."""

    vad_runner: Annotated[Literal["processes", "dask", "ray"], _Allowed("processes, dask or ray")] = (
        "processes"
    )
    """Engine that runs jobs."""
    vad_slots: Annotated[int | None, *_COUNT] = None
    """Jobs that run at once on a host; if unset, as many as its CUDA devices, or else its cores, allow."""
    vad_devices_per_job: Annotated[int, *_COUNT] = 1
    """Devices that train one job together; without a GPU, processes."""
    dask_scheduler_address: Annotated[str | None, _Allowed("an address of Dask")] = None
    """Dask cluster; if unset, a cluster on this host that lives as long as the flow."""
    ray_address: Annotated[str | None, _Allowed("an address of Ray")] = None
    """Ray cluster; if unset, a cluster on this host that lives as long as the flow."""


class ServerEnvironment(Environment):
    """Which servers are used, and on which ports the servers of this host listen."""

    prefect_api_url: Annotated[str | None, *_URL] = None
    """Prefect's API; if unset, that of `vad server start`, or else a server that lives as long as the command."""
    prefect_home: Annotated[str | None, _Allowed("a folder")] = None
    """Folder for what Prefect keeps on this host; if unset, `.prefect/`."""
    prefect_port: Annotated[int, *_PORT] = 4200
    """Port of the Prefect server that `vad server start` starts."""
    mlflow_tracking_uri: Annotated[str | None, _Allowed("an address of MLflow")] = None
    """Where runs and models are kept; if unset, the database under `mlflow/store/`."""
    mlflow_tracking_username: Annotated[str | None, _Allowed("a name")] = None
    """User of an MLflow server that asks for passwords; if unset, whoever runs a command signs for it."""
    mlflow_port: Annotated[int, *_PORT] = 5000
    """Port of the MLflow server that `vad server start` starts."""
    postgres_port: Annotated[int, *_PORT] = 5432
    """Port of a team's PostgreSQL."""
    s3_port: Annotated[int, Field(ge=1, le=55532), _Allowed("a port, 1 to 55532")] = 8333
    """Port of a team's S3 store, which also uses the next three ports, and each of the four plus 10000."""
