from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app, main
from flows.studies import study_descriptions

HEAVY = ("torch", "prefect", "mlflow", "great_expectations", "sklearn", "pandas", "lightning", "cv2")

COMMANDS = (
    *(
        "benchmark",
        "ingest",
        "derive",
        "train",
        "evaluate",
        "report",
        "results",
        *study_descriptions(),
        *("study list", "study run", "study show"),
        "compare",
        "trial",
        "trials",
        "contact-sheet",
        "score",
        "with-server",
        "worker",
        "doctor",
    ),
    *("bench streaming", "bench sharing"),
    *("data import", "data synth", "data validate", "server start", "server stop"),
    *("model list", "model promote", "model rollback"),
)


def run(*arguments: str) -> tuple[int, str]:
    """Return the exit code and stderr of `vad`, in its own process."""
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Return the exit code and stderr of `vad`, in this process."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    return int(stopped.value.code or 0), capsys.readouterr().err


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom flows.cli import main\n"
        "try:\n    main(['--help'])\n"
        f"finally:\n    print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)\n"
    )
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        seconds.append(time.perf_counter() - started)
        assert done.returncode == 0
        assert done.stderr.strip() == "[]"
    assert min(seconds) < 1.5


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    outcome = CliRunner().invoke(app, [*command.split(), "--help"], terminal_width=200)

    assert outcome.exit_code == 0
    assert f"Example: vad {command}" in outcome.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("ingest", "campus"), r"there is no data/campus: .*vad data synth.*dvc pull.*vad data import"),
        (("data", "validate", "nothing"), r"there is no data/nothing"),
        (("derive", "blobs"), r"validation/blobs/manifest\.parquet is missing: .*vad data validate"),
        (("evaluate", "blobs"), r"no job of blobs is finished with these settings: run `vad benchmark"),
        (("results", "blobs"), r"results/blobs\.csv is missing: run `vad benchmark --dataset blobs`"),
        (("data", "import", "nowhere"), r"nowhere is not a folder"),
        (("data", "import", "empty"), r"empty is empty"),
        (("data", "synth", "station"), r"no synthetic footage 'station': campus is the only one"),
        (("score", "x.mp4", "--model", "runs/none"), r"runs/none has no job\.json"),
        (("--params", "other/params.yaml", "ingest", "blobs"), r"other/params\.yaml is missing"),
        (("--params", "other.yaml", "worker"), r"start it without --params, .* parameter root=other\.yaml"),
        (("ingest", "blob"), r"there is no data/blob: did you mean blobs\?"),
    ],
)  # fmt: skip
def test_an_error_is_one_sentence_and_exit_code_1(
    project_root: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    (project_root / "empty").mkdir()

    code, error = said(capsys, *arguments)

    assert code == 1
    assert error.count("\n") == 1
    assert re.search(sentence, error)
    assert "Traceback" not in error


def test_an_unknown_setting_names_key_and_what_is_allowed(
    project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = project_root / "params.yaml"
    params.write_text(params.read_text().replace("bootstrap: 20", "bootstraps: 20"))

    code, error = said(capsys, "ingest", "blobs")

    assert code == 1
    assert "evaluation.bootstraps is not a setting" in error
    assert "bootstrap," in error


def test_wrong_usage_is_exit_code_2(project_root: Path) -> None:
    code, error = run("train")
    assert code == 2
    assert "--dataset" in error
    assert run("score", "video.mp4")[0] == 2


def test_what_nobody_expected_is_a_sentence_too(
    project_root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.benchmark.stages.ingest", lambda *_: 1 / 0)

    code, error = said(capsys, "ingest", "blobs")

    assert code == 1
    assert error == (
        "vad: ZeroDivisionError that nobody expected (division by zero): "
        "the same command with `vad --debug` shows where.\n"
    )


def test_debug_shows_the_traceback(project_root: Path) -> None:
    code, error = run("--debug", "ingest", "campus")
    assert code == 1
    assert "Traceback" in error


def test_ctrl_c_is_exit_code_130(
    project_root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flows.benchmark.stages.ingest", interrupted)
    code, error = said(capsys, "ingest", "blobs")
    assert code == 130
    assert "Traceback" not in error
