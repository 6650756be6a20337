"""`vad bench streaming|sharing|grid`: what is measured, and how it is said; the measuring itself is replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli import app
from tests.footage import SIZE, make_store
from vad_models.errors import DataError, JobError, SettingsError
from vad_models.speed import SharingSpeed, StreamingSpeed
from vad_models.studies.grid_speed import GridSpeed


@pytest.fixture
def derived(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project with derived frames of two cameras, and two slots."""
    make_store(project_root / "frames/blobs", cameras=2)
    monkeypatch.setenv("VAD_SLOTS", "2")
    return project_root


def bench(*arguments: str) -> str:
    outcome = CliRunner().invoke(app, ["bench", *arguments], catch_exceptions=False)
    assert outcome.exit_code == 0
    return outcome.output


def test_streaming_scores_the_test_video_of_the_camera_by_its_trained_model(
    derived: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Path] = []

    class Model:
        headline = "reconstruction"

    def load(directory: Path) -> type[Model]:
        loaded.append(directory)
        return Model

    def measure(model: Any, videos: list[Any]) -> StreamingSpeed:
        assert [video.shape for video in videos] == [(40, *SIZE)] * 2
        return StreamingSpeed(80, 123.4, 1.04, 2.06, 3.08, 1.5e-7, 0.25)

    monkeypatch.setattr("vad_models.operation.export.load_method", load)
    monkeypatch.setattr("vad_models.speed.measure_streaming", measure)
    said = bench("streaming", "blobs", "-m", "conv_ae", "-c", "02", "-s", "3")
    assert [one.parts[-4:] for one in loaded] == [("blobs", "conv_ae", "02", "seed3")]
    assert said.splitlines() == [
        "conv_ae/02/seed3, reconstruction, 32x48x1, one frame at a time: 80 frames, 123 frames/s; a score after "
        "1.0 ms (p50), 2.1 ms (p95), 3.1 ms (p99)",
        "largest difference from batch scoring: 1.5e-07, of scores up to 0.25",
    ]


@pytest.mark.parametrize(
    ("arguments", "kind", "sentence"),
    [
        (["streaming", "blobs", "-m", "conv_ae"], JobError, "train the model first"),
        (["streaming", "blobs", "-m", "conv"], SettingsError, "did you mean conv_ae"),
        (["streaming", "blobs", "-m", "conv_ae", "-c", "9"], DataError, "no training video of camera '9'"),
        (["sharing", "nowhere"], DataError, "there is no data/nowhere"),
    ],
)
def test_what_cannot_be_measured_is_named(
    derived: Path, arguments: list[str], kind: type[Exception], sentence: str
) -> None:
    outcome = CliRunner().invoke(app, ["bench", *arguments])
    assert isinstance(outcome.exception, kind) and sentence in str(outcome.exception)


@pytest.mark.parametrize(("options", "trainings"), [([], 2), (["-n", "5"], 5)])
def test_as_many_trainings_share_the_cores_as_there_are_slots_or_as_it_is_told(
    derived: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], trainings: int
) -> None:
    def measure(
        method: str, settings: Any, size: Any, training: list[Any], count: int, threads: int
    ) -> SharingSpeed:
        assert (method, size, threads) == ("conv_ae", SIZE, 4)
        assert [(one.video.name, one.first, one.last) for one in training] == [
            ("a", 0, 40), ("b", 0, 40), ("c", 0, 40),
        ]  # fmt: skip
        return SharingSpeed(count, 30.0, 20.0)

    monkeypatch.setattr("flows.execution.slots.cores", lambda: 4)
    monkeypatch.setattr("vad_models.speed.measure_sharing", measure)
    assert bench("sharing", "blobs", "-m", "conv_ae", *options) == (
        f"{trainings} trainings of conv_ae, one epoch per phase, on 4 cores: 30.0 s in sequence, 20.0 s at once "
        "(1.50 times as fast)\n"
    )


def test_the_grid_is_the_weather_of_the_study_for_every_named_method(
    derived: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = derived / "params.yaml"
    grid = "studies: {robustness: {brightness: [1.0, 0.5], rain: [none, heavy], distortions: [fog], severities: [1]}}"
    params.write_text(f"{params.read_text()}\n{grid}\n")

    def measure(
        directories: list[Path], videos: list[Any], weather: list[Any], workers: int, threads: int
    ) -> GridSpeed:
        assert [directory.parts[-3:] for directory in directories] == [("conv_ae", "02", "seed1")]
        assert [video.name for video in videos] == ["d", "e"]
        assert {one.distortion for one in weather} == {"weather"}
        assert {(one.brightness, one.rain) for one in weather} == {
            (1.0, "none"), (0.5, "none"), (1.0, "heavy"), (0.5, "heavy"),
        }  # fmt: skip
        assert workers == 2 and threads >= 1
        return GridSpeed(len(weather), len(directories), 10.0, 40.0)

    monkeypatch.setattr("vad_models.studies.grid_speed.measure_grid", measure)
    assert bench("grid", "blobs", "-m", "conv_ae", "-c", "02", "-s", "1") == (
        "4 conditions x 1 method(s), 2 at once: 10 s in one run, 40 s as 4 separate evaluations (0.25 of the time)\n"
    )
