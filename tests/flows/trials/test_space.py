"""The search space of a sweep, as written on the command line."""

from __future__ import annotations

import optuna
import pytest

from flows.trials.space import Choices, Range, combinations, parse_varied
from vad_models.errors import SettingsError


def test_values_are_separated_by_bars_and_kept_as_yaml() -> None:
    assert parse_varied("channels=[8,16] | [16,32]") == Choices("channels", ("[8,16]", "[16,32]"))


@pytest.mark.parametrize(
    ("text", "kind", "low", "high"),
    [
        ("training.learning_rate=log(1e-4, 1e-2)", "log", 1e-4, 1e-2),
        ("weight=uniform(-1,0.5)", "uniform", -1.0, 0.5),
        ("clip=int(4,8)", "int", 4.0, 8.0),
    ],
)
def test_a_range_has_a_kind_and_two_bounds(text: str, kind: str, low: float, high: float) -> None:
    assert parse_varied(text) == Range(text.partition("=")[0], kind, low, high)


@pytest.mark.parametrize("text", ["training.learning_rate=log(0.0001,0.01)", "clip=int(4,8)", "a=1|2"])
def test_a_name_reads_as_what_it_names(text: str) -> None:
    assert parse_varied(text).name == text
    assert parse_varied(parse_varied(text).name) == parse_varied(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("clip", "it must be key=A|B with two or more values"),
        ("clip=4", "use --set for a single value"),
        ("clip=4||5", "it must be key=A|B"),
        ("clip=4|4", "it must be key=A|B"),
        ("=4|5", "it must be key=A|B"),
        ("=log(1,2)", "it must be key=A|B"),
        ("rate=log(0,1)", "the bounds of log must be above 0 and in ascending order"),
        ("rate=uniform(2,1)", "the bounds of uniform must be in ascending order"),
        ("clip=int(1.5,4)", "the bounds of int must be whole numbers and in ascending order"),
        ("rate=log(a,b)", r"the bounds of log must be numbers, such as log\(1e-4,1e-2\)"),
        ("rate=uniform(nan,1)", "in ascending order"),
    ],
)
def test_what_is_not_allowed_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=r"--sweep .* is not allowed: ") as error:
        parse_varied(text)
    assert error.match(sentence)


def test_combinations_are_counted_where_there_is_an_end_of_them() -> None:
    choices = [parse_varied("a=1|2|3"), parse_varied("b=x|y")]
    assert combinations(choices) == 6
    assert combinations([]) == 1
    assert combinations([*choices, parse_varied("c=uniform(0,1)")]) is None


@pytest.mark.parametrize(
    ("text", "allowed"),
    [("a=1|2", {"1", "2"}), ("a=int(3,4)", {"3", "4"})],
)
def test_a_trial_is_given_a_change_within_the_space(text: str, allowed: set[str]) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    changes = [parse_varied(text).suggest(study.ask()) for _ in range(20)]
    assert {change.partition("=")[2] for change in changes} == allowed
    assert all(change.startswith("a=") for change in changes)


def test_a_logarithmic_range_is_drawn_evenly_in_the_logarithm() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    rate = parse_varied("rate=log(1e-4,1)")
    drawn = [float(rate.suggest(study.ask()).partition("=")[2]) for _ in range(200)]
    assert 60 < sum(value < 1e-2 for value in drawn) < 140
    assert all(1e-4 <= value <= 1 for value in drawn)
