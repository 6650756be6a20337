"""Errors that users see, on their way from a process that trains to the command line."""

from __future__ import annotations

import copy

import pytest

from vad_models import errors
from vad_models.errors import DataError, JobError, SettingsError, VadError

KINDS = [SettingsError, DataError, JobError]


def test_every_error_of_this_module_is_one_that_a_user_can_fix() -> None:
    assert {getattr(errors, name) for name in errors.__all__} == {VadError, *KINDS}
    assert all(issubclass(kind, VadError) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_is_not_taken_for_another(kind: type[VadError]) -> None:
    others = tuple(other for other in KINDS if other is not kind)
    assert not issubclass(kind, others)
    assert not issubclass(kind, ValueError | LookupError | OSError), "libraries' errors are told from ours"


@pytest.mark.parametrize("kind", [VadError, *KINDS])
def test_kind_and_sentence_come_back_from_another_process(kind: type[VadError]) -> None:
    sentence = "the video has 3 frames, but ffp needs 5: give it a longer one."
    again = copy.copy(kind(sentence))  # by the protocol that carries it between processes
    assert type(again) is kind and str(again) == sentence
