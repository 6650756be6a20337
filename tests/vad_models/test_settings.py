"""Settings: which are refused, and with which message."""

from __future__ import annotations

from pathlib import Path

import pytest

from vad_models.errors import SettingsError
from vad_models.settings import FrameSize, Params, load_params, validated

GOOD = """
benchmark: {datasets: [campus], methods: [ffp]}
datasets:
  default: {profile: cpu}
  campus: {profile: demo, seeds: [4], frames: [96x160x1]}
"""


def load(tmp_path: Path, text: str) -> Params:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    folder = tmp_path / "params" / "methods"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ffp.yaml").write_text(
        "cpu: {}\ndemo: {}\nvariants: {optical_flow: {changes: {optical_flow: 2.0}}}\n"
    )
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
    ],
)
def test_what_is_wrong_is_named_with_its_value_and_what_is_allowed(
    tmp_path: Path, change: tuple[str, str], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load(tmp_path, GOOD.replace(*change))


def test_methods_have_files_of_their_own(tmp_path: Path) -> None:
    params = load(tmp_path, GOOD)
    assert list(params.methods) == ["ffp", "ffp_optical_flow"]
    assert params.methods["ffp_optical_flow"].method == "ffp"
    with pytest.raises(
        SettingsError, match=r"methods is not a setting there: .*params/methods/<method>\.yaml"
    ):
        load(tmp_path, GOOD + "methods: {ffp: {cpu: {}}}")


def test_another_file_of_settings_has_the_methods_next_to_it(tmp_path: Path) -> None:
    load(tmp_path, GOOD)
    other = tmp_path / "other.yaml"
    other.write_text(GOOD.replace("seeds: [4]", "seeds: [5]"), encoding="utf-8")

    params = load_params(other)

    assert params.dataset("campus").seeds == (5,)
    assert "ffp" in params.methods


def test_a_missing_method_profile_or_member_is_named_with_what_there_is() -> None:
    methods = {
        "ffp": {"method": "ffp", "file": "ffp.yaml", "cpu": {}},
        "both": {"method": "both", "cpu": {"members": {"ffp": ["prediction"]}, "tail_shape": 1}},
        "odd": {"method": "odd", "cpu": {"members": {"magic": ["x"]}}},
    }
    values = {"benchmark": {"datasets": ["a"], "methods": ["ffp"]}, "datasets": {}, "methods": methods}
    params = validated(Params, values)
    assert params.method_settings("both", "cpu") == {
        "members": {"ffp": {"method": "ffp", "signals": ["prediction"], "settings": {}}},
        "tail_shape": 1,
    }
    with pytest.raises(SettingsError, match=r"ffp\.yaml: ffp has no profile 'demo'; it has: cpu\."):
        params.method_settings("ffp", "demo")
    with pytest.raises(SettingsError, match=r"no method or variant 'fpp': did you mean ffp\?"):
        params.method_settings("fpp", "cpu")
    with pytest.raises(
        SettingsError, match=r"no method or variant 'magic': params/methods/ has ffp, both, odd"
    ):
        params.method_settings("odd", "cpu")
