"""Requests that the flow of studies refuses, and the choices in Prefect's form."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.utilities.callables import parameter_schema

from flows.studies import study_descriptions
from flows.studies.runner import run_study
from vad_models.errors import SettingsError


def test_the_form_offers_the_studies_that_there_are() -> None:
    assert parameter_schema(run_study).properties["name"]["enum"] == list(study_descriptions())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("robustnes: {}", r"studies\.robustnes is not a study: did you mean robustness"),
        ("robustness: {seeds: 1}", r"studies\.robustness\.seeds is not a setting"),
        ("subsampling: {steps: [0]}", r"studies\.subsampling\.steps"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_trained(
    project_root: Path, settings: str, sentence: str
) -> None:
    params = project_root / "params.yaml"
    params.write_text(f"{params.read_text()}\nstudies: {{{settings}}}\n")
    name = "subsampling" if "sub" in settings else "robustness"
    with pytest.raises(SettingsError, match=sentence):
        run_study.fn("blobs", name, root=project_root)
