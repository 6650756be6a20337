"""Retries of Prefect tasks: which failures are tried again, and how often."""

from __future__ import annotations

from typing import Any

from vad_models.errors import VadError

__all__ = ["RETRIES", "RETRIES_OF_A_JOB", "may_help"]


def may_help(task: Any, run: Any, state: Any) -> bool:
    """Return whether to try a failed task again; an error that a person has to fix would only occur again."""
    try:
        state.result()
    except VadError:
        return False
    except Exception:
        return True
    return False


RETRIES: dict[str, Any] = {"retries": 2, "retry_delay_seconds": [5, 30]}
"""Options of a Prefect task that may fail for temporary reasons."""

RETRIES_OF_A_JOB: dict[str, Any] = {**RETRIES, "retry_condition_fn": may_help}
"""Options of a task that trains: an error that a person has to fix is reported at once."""
