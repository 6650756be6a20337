"""Studies are found automatically: a new study is one file, and nothing else is edited."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows import studies
from flows.studies import load_study, study_descriptions
from flows.studies.study import Study
from vad_models.errors import SettingsError

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", study_descriptions())
def test_a_study_bears_the_name_of_its_file_and_describes_itself(name: str) -> None:
    study = load_study(name)
    assert isinstance(study, Study) and study.name == name
    assert re.fullmatch(r"[A-Z].*\.", study_descriptions()[name])
    assert study.settings() == study.settings.model_validate({})


def test_modules_that_assign_no_study_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "on_the_moon.py").write_text('"""Score on the moon.\n\nFar away.\n"""\n\nSTUDY = object()\n')
    (tmp_path / "helper.py").write_text('"""Helps."""\n\nSTUDIES = [1]\n')
    monkeypatch.setattr(studies, "__path__", [str(tmp_path)])
    assert study_descriptions() == {"on-the-moon": "Score on the moon."}


def test_a_study_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(SettingsError, match=r"there is no study 'hail': flows/studies/ .*"):
        load_study("hail")
    with pytest.raises(SettingsError, match="did you mean robustness"):
        load_study("robustnes")
