"""The environment variables that the project reads, validated. docs/environment.md lists the same in a table.

They say where and how something runs, never what a number is: settings of the science stand in `params.yaml`.
An empty variable counts as one that is not set.
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
    """What a variable may be, as messages and the documentation say it."""

    text: str


_COUNT = Field(ge=1), _Allowed("a whole number, 1 or more")
_PORT = Field(ge=1, le=65535), _Allowed("a port, 1 to 65535")
_URL = Field(pattern="^https?://[^/]+"), _Allowed("an address that begins with http:// or https://")


class Environment(BaseSettings):
    """Base of the classes below. A field is the variable of the same name, in upper case."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, use_attribute_docstrings=True)

    @classmethod
    def read(cls) -> Self:
        """The variables as they are set now.

        Raises:
            SettingsError: one has a value that is not allowed.
        """
        try:
            return cls()
        except ValidationError as invalid:
            first = invalid.errors()[0]
            name = str(first["loc"][0]).lower()
            allowed = cls.allowed(cls.model_fields[name])
            raise SettingsError(
                f"{name.upper()} = {first['input']!r} is not allowed: it is {allowed}."
            ) from None

    @staticmethod
    def allowed(field: FieldInfo) -> str:
        """What the variable of a field may be, in words."""
        return next(one.text for one in field.metadata if isinstance(one, _Allowed))


class JobEnvironment(Environment):
    """How many jobs run at once, and on what."""

    vad_runner: Annotated[Literal["processes", "dask", "ray"], _Allowed("processes, dask or ray")] = (
        "processes"
    )
    """Engine that runs jobs."""
    vad_slots: Annotated[int | None, *_COUNT] = None
    """Jobs that run at once on a host; without it, as many as its CUDA devices, else its cores, are enough for."""
    vad_devices_per_job: Annotated[int, *_COUNT] = 1
    """Devices that train one job together; processes where there is no GPU."""
    dask_scheduler_address: Annotated[str | None, _Allowed("an address of Dask")] = None
    """Dask's cluster; without it, one on this host for the life of the flow."""
    ray_address: Annotated[str | None, _Allowed("an address of Ray")] = None
    """Ray's cluster; without it, one on this host for the life of the flow."""


class ServerEnvironment(Environment):
    """Which servers are used, and on which ports those of this host listen."""

    prefect_api_url: Annotated[str | None, *_URL] = None
    """Prefect's API; without it, that of `vad server start`, or a server for the life of a command."""
    prefect_home: Annotated[str | None, _Allowed("a folder")] = None
    """What Prefect keeps on this host; without it, `.prefect/`."""
    prefect_port: Annotated[int, *_PORT] = 4200
    """Port of the Prefect server that `vad server start` starts."""
    mlflow_tracking_uri: Annotated[str | None, _Allowed("an address of MLflow")] = None
    """Where runs and models are kept; without it, the database under `mlflow/store/`."""
    mlflow_port: Annotated[int, *_PORT] = 5000
    """Port of the MLflow server that `vad server start` starts."""
    postgres_port: Annotated[int, *_PORT] = 5432
    """Port of a team's PostgreSQL."""
    s3_port: Annotated[int, Field(ge=1, le=55532), _Allowed("a port, 1 to 55532")] = 8333
    """Port of a team's S3 store, which takes the three after it too, and each of the four plus 10000."""
