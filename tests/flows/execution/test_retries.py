"""Retries of tasks."""

from __future__ import annotations

import pytest
from prefect import task
from prefect.states import Completed, Failed

from flows.execution.retries import RETRIES, RETRIES_OF_A_JOB, may_help
from vad_models.errors import DataError, JobError


@pytest.mark.parametrize(
    ("raised", "again"),
    [(DataError("no frames"), False), (JobError("no model"), False), (OSError("disk"), True)],
)
def test_what_a_person_has_to_fix_is_not_tried_again(raised: Exception, again: bool) -> None:
    assert may_help(None, None, Failed(data=raised)) is again


def test_what_went_well_is_not_tried_again() -> None:
    assert may_help(None, None, Completed(data=1)) is False


def _nothing() -> None:
    """Prefect tasks are made from plain functions."""


def test_the_options_are_those_of_a_prefect_task() -> None:
    for options in (RETRIES, RETRIES_OF_A_JOB):
        made = task(**options)(_nothing)
        assert (made.retries, made.retry_delay_seconds) == (2, [5, 30])
    assert task(**RETRIES_OF_A_JOB)(_nothing).retry_condition_fn is may_help
