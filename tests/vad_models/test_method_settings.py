"""A file per method: profiles, variants as changes, and refused settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from vad_models.errors import SettingsError
from vad_models.method_settings import changed, load_methods

FFP = """
paper: {channels: [64], branches: {a: 1, b: 2}, training: {epochs: 80, batch: 4}}
demo: {channels: [16], branches: {a: 1}, training: {epochs: 6, batch: 2}}
variants:
  optical_flow:
    changes: {optical_flow: 2.0, branches: {c: 3}, training.epochs: 9}
    demo: {training.batch: 1, optical_flow: 1.0}
  large:
    paper: {channels: [128]}
"""


def load(folder: Path, **files: str) -> dict[str, dict[str, object]]:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    entries = load_methods(folder)
    return {label: entry.model_dump(exclude={"file"}, exclude_none=True) for label, entry in entries.items()}


def test_a_variant_is_its_method_with_changes_in_every_profile_that_it_has(tmp_path: Path) -> None:
    entries = load(tmp_path, ffp=FFP)

    assert list(entries) == ["ffp", "ffp_optical_flow", "ffp_large"]
    assert entries["ffp"]["demo"] == {
        "channels": [16],
        "branches": {"a": 1},
        "training": {"epochs": 6, "batch": 2},
    }
    assert entries["ffp_optical_flow"] == {
        "method": "ffp",
        "paper": {
            "channels": [64],
            "branches": {"c": 3},
            "training": {"epochs": 9, "batch": 4},
            "optical_flow": 2.0,
        },
        "demo": {
            "channels": [16],
            "branches": {"c": 3},
            "training": {"epochs": 9, "batch": 1},
            "optical_flow": 1.0,
        },
    }
    assert entries["ffp_large"]["demo"] == entries["ffp"]["demo"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("gpu: {}", r"ffp\.yaml: gpu is not a setting; .*: cpu, demo, paper, variants"),
        ("variants: {x: {change: {}}}", r"ffp\.yaml: variants\.x\.change is not a setting; .*changes"),
        ("demo: 3", r"ffp\.yaml: demo = 3 is not allowed: .*dictionary"),
        ("demo: {}\nvariants: {x: {cpu: {a: 1}}}", r"ffp\.yaml: variants\.x\.cpu changes a profile that ffp"),
        (
            "demo: {clip: 4}\nvariants: {x: {changes: {clip.frames: 1}}}",
            r"ffp\.yaml: variants\.x: clip\.frames is not a setting, for clip is one value, 4",
        ),
        ("demo: {}\ncpu: {}\ndemo: {}", r"ffp\.yaml has demo in line 1 and again in line 3"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load(tmp_path, ffp=text)


def test_a_label_stands_for_one_thing(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError,
        match=r"ffp_optical_flow stands for two, in .*ffp\.yaml and in .*ffp_optical_flow\.yaml",
    ):
        load(tmp_path, ffp=FFP, ffp_optical_flow="demo: {}")


def test_a_project_without_methods_says_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"has no settings of methods: each has a file there"):
        load(tmp_path)


def test_changes_leave_the_original_as_it_is() -> None:
    settings = {"training": {"epochs": 6}}
    assert changed(settings, {"training.epochs": 7, "optimiser.rate": 1}, "") == {
        "training": {"epochs": 7},
        "optimiser": {"rate": 1},
    }
    assert settings == {"training": {"epochs": 6}}
    with pytest.raises(SettingsError, match=r"--set: 'training\.' is not of the form key or group\.key"):
        changed(settings, {"training.": 7}, "--set")
