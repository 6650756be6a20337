"""How often a task is tried again."""

from __future__ import annotations

from typing import Any

__all__ = ["RETRIES"]

RETRIES: dict[str, Any] = {"retries": 2, "retry_delay_seconds": [5, 30]}
"""Options of a Prefect task that may fail for reasons that pass."""
