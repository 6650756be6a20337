"""`vad contact-sheet`: where the pictures are."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from vad_models.errors import DataError


@pytest.mark.parametrize("out", ["contact-sheet", "docs/images"])
def test_pictures_are_written_to_the_folder_and_named(
    project_root: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    def write(project: object, dataset: str, folder: Path) -> list[Path]:
        return [folder / f"{dataset}-{name}.jpg" for name in ("distortions", "weather")]

    monkeypatch.setattr("flows.studies.contact_sheet.write_contact_sheets", write)
    options = [] if out == "contact-sheet" else ["--out", out]
    outcome = CliRunner().invoke(app, ["contact-sheet", "blobs", *options])
    assert outcome.exit_code == 0
    assert outcome.output.splitlines()[-2:] == [f"{out}/blobs-distortions.jpg", f"{out}/blobs-weather.jpg"]


def test_footage_that_is_not_there_is_named(project_root: Path) -> None:
    outcome = CliRunner().invoke(app, ["contact-sheet", "nowhere"])
    assert isinstance(outcome.exception, DataError)
    assert "there is no data/nowhere" in str(outcome.exception)
