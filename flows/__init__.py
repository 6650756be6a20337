"""Orchestration: Prefect, MLflow, DVC and Great Expectations live here and nowhere else."""

import os

# Read by these tools when they are imported, so they must be set before; a value that the user has set wins.
for _name, _value in {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
}.items():
    os.environ.setdefault(_name, _value)

# No proxy reaches the servers on loopback, but the clients of Prefect, MLflow and S3 would ask HTTP_PROXY for them. Set
# in either case: some tools read the one name, some the other.
_spared = [
    host.strip()
    for name in ("no_proxy", "NO_PROXY")
    for host in os.environ.get(name, "").split(",")
    if host.strip()
]
if "*" not in _spared:  # which spares every host
    for _name in ("no_proxy", "NO_PROXY"):
        os.environ[_name] = ",".join(dict.fromkeys([*_spared, "127.0.0.1", "localhost", "::1"]))
