"""What the files at the root promise each other."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from flows.project.paths import Paths
from flows.studies import load_study, study_descriptions
from vad_models.jobs.code_version import code_sources
from vad_models.methods import method_class, method_names
from vad_models.settings import Profile, load_params, validated

ROOT = Path(__file__).parents[1]

STAGES = ("ingest", "validate", "derive", "settings", "train", "evaluate", "report", "robustness")


def stages_of(file: str) -> dict[str, dict[str, object]]:
    stages: dict[str, dict[str, object]] = yaml.safe_load((ROOT / file).read_text())["stages"]
    return stages


@pytest.fixture(scope="module")
def pipeline() -> dict[str, dict[str, object]]:
    return {**stages_of("dvc.yaml"), **stages_of("studies/dvc.yaml")}


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(_normalised(line).split("==") for line in lines if line and not line.startswith("#"))


def _normalised(name: str) -> str:
    return name.lower().replace("_", "-")


def test_repro_runs_the_benchmark_and_what_needs_no_further_training() -> None:
    assert tuple(stages_of("dvc.yaml")) == STAGES
    assert set(stages_of("studies/dvc.yaml")) <= set(study_descriptions())


def test_stages_of_studies_say_what_their_study_reads_and_writes(
    pipeline: dict[str, dict[str, Any]],
) -> None:
    for name in study_descriptions().keys() & pipeline.keys():
        stage, study, dataset = pipeline[name], load_study(name), "${item.dataset}"
        assert stage["cmd"] == f"vad {name} --dataset {dataset}"
        assert {"flows/studies", "vad_models/studies"} <= set(stage["deps"])
        assert {"evaluation", f"studies.{name}"} <= set(stage["params"])
        tables = {str(file) for file in study.table_files(Paths(Path()), dataset)}
        assert {path for out in stage["outs"] for path in out} == {f"grids/{name}/{dataset}", *tables}
        plots = [Path(path) for plot in stage["plots"] for path in plot]
        figures = study.figure_files(Paths(Path()), dataset)
        assert all(any(figure.is_relative_to(plot) for plot in plots) for figure in figures)
        assert all(any(figure.is_relative_to(plot) for figure in figures) for plot in plots)


def test_params_hold_settings_of_studies_alone() -> None:
    params = load_params(ROOT / "params.yaml")
    for name in params.studies:
        settings = params.study(name, load_study(name).settings)
        assert set(settings.methods) <= set(params.methods)


def test_every_dependency_on_code_exists(pipeline: dict[str, dict[str, object]]) -> None:
    code = [
        dep
        for stage in pipeline.values()
        for dep in stage.get("deps", [])
        if dep.startswith(("flows", "vad_"))
    ]
    assert code
    assert [dep for dep in code if not (ROOT / dep).exists()] == []


def test_training_depends_on_all_source_that_shapes_scores(pipeline: dict[str, dict[str, object]]) -> None:
    """What `vad_models.jobs.code_version` sums up in fingerprints, `dvc repro` must see as well."""
    tracked = [ROOT / str(dep) for dep in pipeline["train"]["deps"]]
    for method in method_names():
        for source in code_sources(method):
            assert any(source.is_relative_to(dep) for dep in tracked), source


def test_every_stage_is_a_command_of_vad(pipeline: dict[str, dict[str, object]]) -> None:
    for stage in pipeline.values():
        command = re.sub(r" (--\w+ )?\$\{.*?\}", "", str(stage["cmd"])).split()
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *command[1:], "--help"], capture_output=True, check=False
        )
        assert command[0] == "vad"
        assert done.returncode == 0


def test_params_hold_the_settings_that_every_method_needs() -> None:
    params = load_params(ROOT / "params.yaml")
    for label, entry in params.methods.items():
        settings = method_class(entry.method).Settings
        for profile in get_args(Profile):
            if getattr(entry, profile) is not None:
                values = params.method_settings(label, profile)
                validated(settings, values, f"{label}.{profile}", entry.file)
    assert set(params.benchmark.methods) <= set(params.methods)


def test_nothing_shadows_the_package_mlflow() -> None:
    assert not list((ROOT / "mlflow").glob("*.py"))


def test_telemetry_is_off_wherever_flows_is_imported() -> None:
    names = (
        "DO_NOT_TRACK",
        "DVC_NO_ANALYTICS",
        "GX_ANALYTICS_ENABLED",
        "MLFLOW_DISABLE_TELEMETRY",
        "PREFECT_SERVER_ANALYTICS_ENABLED",
    )
    clean = {name: value for name, value in os.environ.items() if name not in names}
    script = f"import os, flows; print([os.environ[name] for name in {names}])"
    said = subprocess.run(
        [sys.executable, "-c", script], env=clean, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == str(["true", "1", "false", "true", "false"])

    config = configparser.ConfigParser()
    config.read(ROOT / ".dvc" / "config")
    assert config["core"]["analytics"] == "false"


def test_the_constraints_pin_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {_normalised(re.split(r"[<>=\[ ]", requirement)[0]) for requirement in wanted}
    assert sorted(names - pinned().keys()) == []
    assert "+" not in pinned()["torch"]


def test_prefects_server_and_fastapi_fit() -> None:
    """The newest fastapi that resolves ends every flow on Prefect 3.8's server."""
    script = "import prefect.server.api.server as server; server.create_app()"
    subprocess.run([sys.executable, "-c", script], check=True)
