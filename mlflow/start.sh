#!/usr/bin/env bash
# MLflow's tracking server on loopback, in the foreground. `make server` runs it in the background.
#   MLFLOW_PORT                 default 5000
#   MLFLOW_BACKEND_STORE_URI    default: the database that runs are logged to when no server is named
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p mlflow/store/artifacts
export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false # it would start a dozen processes that nothing here uses
exec .venv/bin/mlflow server --host 127.0.0.1 --port "${MLFLOW_PORT:-5000}" --workers 1 \
    --backend-store-uri "${MLFLOW_BACKEND_STORE_URI:-sqlite:///mlflow/store/mlflow.db}" \
    --artifacts-destination mlflow/store/artifacts
