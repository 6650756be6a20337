"""Settings: what is refused, and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from vad_models.errors import SettingsError
from vad_models.settings import DatasetSettings, FrameSize, Params, load_params, validated

GOOD = """
benchmark: {datasets: [campus], methods: [ffp]}
datasets:
  default: {profile: cpu}
  campus: {profile: demo, seeds: [4], frames: [96x160x1]}
methods:
  ffp: {cpu: {}, demo: {}}
"""


def load(tmp_path: Path, text: str) -> Params:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return load_params(path)


def test_the_projects_own_params_are_valid() -> None:
    assert load_params(Path("params.yaml")).benchmark.methods


def test_a_dataset_has_its_own_settings_or_the_default(tmp_path: Path) -> None:
    params = load(tmp_path, GOOD)
    assert params.dataset("campus").seeds == (4,)
    assert params.dataset("campus").frames == (FrameSize(96, 160, 1),)
    assert params.dataset("somewhere").profile == "cpu"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("profile: demo", "profile: gpu"), r"datasets\.campus\.profile = 'gpu'.*'paper', 'cpu' or 'demo'"),
        (
            ("seeds: [4]", "seed: 4"),
            r"datasets\.campus\.seed is not a setting; the settings there are: .*seeds",
        ),
        (("seeds: [4]", "seeds: []"), r"datasets\.campus\.seeds = \[\].*at least 1"),
        (("96x160x1", "96x161x1"), r"multiples of 8, not '96x161x1'"),
        (("96x160x1", "96 by 160"), r"HEIGHTxWIDTHxCHANNELS"),
        (("datasets: [campus], ", ""), r"benchmark\.datasets is missing"),
        (("ffp: {cpu", "ffp: {gpu"), r"methods\.ffp\.gpu is not a setting.*cpu"),
    ],
)
def test_what_is_wrong_is_named_with_its_value_and_what_is_allowed(
    tmp_path: Path, change: tuple[str, str], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load(tmp_path, GOOD.replace(*change))


def test_a_missing_or_broken_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is missing: run vad from the root"):
        load_params(tmp_path / "params.yaml")
    with pytest.raises(SettingsError, match="is not YAML"):
        load(tmp_path, "a: [1,")
    with pytest.raises(SettingsError, match="not a mapping"):
        load(tmp_path, "- 1")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        validated(DatasetSettings, {}, "x").holdout = 0.3  # type: ignore[misc]


def test_a_missing_profile_or_member_is_named_with_what_there_is() -> None:
    methods = {"ffp": {"cpu": {}}, "both": {"cpu": {"members": {"ffp": ["prediction"]}, "tail_shape": 1}}}
    methods["odd"] = {"cpu": {"members": {"magic": ["x"]}}}
    values = {"benchmark": {"datasets": ["a"], "methods": ["ffp"]}, "datasets": {}, "methods": methods}
    params = validated(Params, values, "params.yaml")
    assert params.method_settings("both", "cpu") == {
        "members": {"ffp": {"method": "ffp", "signals": ["prediction"], "settings": {}}},
        "tail_shape": 1,
    }
    with pytest.raises(SettingsError, match=r"methods\.ffp has no profile 'demo'; it has: cpu\."):
        params.method_settings("ffp", "demo")
    with pytest.raises(
        SettingsError, match=r"no method 'magic' in params.yaml; the methods there are: ffp, both"
    ):
        params.method_settings("odd", "cpu")
