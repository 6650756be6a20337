#!/usr/bin/env bash
# MLflow's tracking server on loopback, in the foreground. `make server` and `make server-team` run it in the background.
#   MLFLOW_PORT                     default 5000
#   MLFLOW_BACKEND_STORE_URI        default: the database that runs are logged to when no server is named
#   MLFLOW_ARTIFACTS_DESTINATION    default: a folder next to that database
#   MLFLOW_AUTH_CONFIG_PATH         accounts and permissions; where it is set, the server asks for passwords (docs/team.md)
# They are passed in the environment, because every user of the host can read a command line, and a password in it.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p mlflow/store/artifacts
export MLFLOW_BACKEND_STORE_URI="${MLFLOW_BACKEND_STORE_URI:-sqlite:///mlflow/store/mlflow.db}"
export MLFLOW_ARTIFACTS_DESTINATION="${MLFLOW_ARTIFACTS_DESTINATION:-mlflow/store/artifacts}"
export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false # it would start a dozen processes that nothing here uses
PATH="$PWD/.venv/bin:$PATH" exec mlflow server --host 127.0.0.1 --port "${MLFLOW_PORT:-5000}" --workers 1 \
    ${MLFLOW_AUTH_CONFIG_PATH:+--app-name basic-auth}
