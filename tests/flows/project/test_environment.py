"""The environment variables: what is allowed, and that the documentation lists them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from flows.cli import main
from flows.project.environment import Environment, JobEnvironment, ServerEnvironment
from vad_models.errors import SettingsError

ROOT = Path(__file__).parents[3]

CLASSES = (JobEnvironment, ServerEnvironment)

VARIABLES = [name.upper() for one in CLASSES for name in one.model_fields]


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("MLFLOW_PORT", "abc", "a port, 1 to 65535"),
        ("PREFECT_PORT", "0", "a port, 1 to 65535"),
        ("POSTGRES_PORT", "65536", "a port, 1 to 65535"),
        ("S3_PORT", "60000", "a port, 1 to 55532"),
        ("PREFECT_API_URL", "127.0.0.1:4200", "an address that begins with http:// or https://"),
        ("VAD_SLOTS", "two", "a whole number, 1 or more"),
        ("VAD_SLOTS", "1.5", "a whole number, 1 or more"),
        ("VAD_DEVICES_PER_JOB", "0", "a whole number, 1 or more"),
        ("VAD_RUNNER", "cluster", "processes, dask or ray"),
    ],
)
def test_a_value_that_is_not_allowed_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        for one in CLASSES:
            one.read()
    assert str(error.value) == f"{name} = '{value}' is not allowed: it must be {allowed}."


@pytest.mark.parametrize("one", CLASSES)
def test_an_empty_variable_counts_as_one_that_is_not_set(
    monkeypatch: pytest.MonkeyPatch, one: type[Environment]
) -> None:
    default = one.read()
    for name in one.model_fields:
        monkeypatch.setenv(name.upper(), "")
    assert one.read() == default


def test_what_is_set_is_read_each_time_and_cannot_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAD_SLOTS", "3")
    assert JobEnvironment.read().vad_slots == 3
    monkeypatch.setenv("VAD_SLOTS", "4")
    read = JobEnvironment.read()
    assert read.vad_slots == 4
    with pytest.raises(ValidationError, match="frozen"):
        read.vad_slots = 5


def test_the_command_line_says_it_without_a_traceback(
    project_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_PORT", "abc")
    with pytest.raises(SystemExit) as stopped:
        main(["server", "start"])
    assert stopped.value.code == 1
    assert (
        capsys.readouterr().err == "vad: MLFLOW_PORT = 'abc' is not allowed: it must be a port, 1 to 65535.\n"
    )


def test_the_documentation_lists_each_variable_as_it_is() -> None:
    page = (ROOT / "docs/environment.md").read_text()
    expected = [_row(one, name) for one in CLASSES for name in one.model_fields]
    assert [line for line in page.splitlines() if line.startswith(tuple(f"| `{v}`" for v in VARIABLES))] == (
        expected
    )


def _row(one: type[Environment], name: str) -> str:
    field = one.model_fields[name]
    default = "" if field.default is None else f"`{field.default}`"
    return f"| `{name.upper()}` | {default} | {one.allowed(field)} | {field.description} |"


def test_no_other_module_of_flows_reads_a_variable_by_its_name() -> None:
    reads = re.compile(
        r"""os\.(environ\.get|getenv)\(["']|["'] in os\.environ|os\.environ\[["']\w+["']\](?! = )"""
    )
    found = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in sorted((ROOT / "flows").rglob("*.py"))
        for line in file.read_text().splitlines()
        if reads.search(line)
    ]
    assert found == []
