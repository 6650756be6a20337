"""Strict reading of YAML, and the names that an error suggests."""

from __future__ import annotations

from pathlib import Path

import pytest

from vad_models.errors import SettingsError
from vad_models.settings_base import Frozen, closest, read_settings, validated


class Sample(Frozen):
    size: int


def read(tmp_path: Path, text: str) -> dict[str, object]:
    file = tmp_path / "params.yaml"
    file.write_text(text, encoding="utf-8")
    return read_settings(file)


def test_a_missing_or_broken_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"params\.yaml is missing: run vad from the root"):
        read_settings(tmp_path / "params.yaml")
    with pytest.raises(SettingsError, match=r"params\.yaml is not YAML: .*line 2"):
        read(tmp_path, "a: [1,")
    with pytest.raises(SettingsError, match="holds list, not a mapping"):
        read(tmp_path, "- 1")
    with pytest.raises(SettingsError, match="holds NoneType, not a mapping"):
        read(tmp_path, "# nothing")


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3\n", "x: [{a: 1,\n b: 2,\n a: 3}]\n"])
def test_a_key_that_stands_twice_is_refused_with_both_lines(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        SettingsError, match=r"params\.yaml has a in line 1 and again in line 3: keep one of them"
    ):
        read(tmp_path, text)


def test_a_key_that_stands_twice_in_one_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has a in line 1 and again in line 1"):
        read(tmp_path, "x: {a: 1, a: 2}")


def test_what_is_inherited_may_be_replaced(tmp_path: Path) -> None:
    assert read(tmp_path, "a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")["b"] == {"x": 3, "y": 2}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"size": "big"}, r"^params\.yaml: sample\.size = 'big' is not allowed: .*integer"),
        ({"size": 1, "sizes": 2}, r"^params\.yaml: sample\.sizes is not a setting; .*: size\.$"),
        ({}, r"^params\.yaml: sample\.size is missing"),
    ],
)
def test_an_error_names_file_key_value_and_what_is_allowed(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        validated(Sample, values, "sample", Path("params.yaml"))


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        validated(Sample, {"size": 1}).size = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("decopled", "did you mean decoupled or decoupled_plain?"),
        ("decoupled_plan", "did you mean decoupled_plain or decoupled?"),
        ("magic", "data/ has decoupled, decoupled_plain, ffp."),
    ],
)
def test_an_unknown_name_gets_the_closest_ones_or_all_where_they_are_few(name: str, sentence: str) -> None:
    assert closest(name, ["decoupled", "decoupled_plain", "ffp"], "data/") == sentence


def test_many_names_are_not_listed() -> None:
    assert (
        closest("magic", [f"camera{number}" for number in range(1000)], "data/city") == "data/city lists all."
    )
    assert closest("magic", [], "data/") == "data/ has none."
