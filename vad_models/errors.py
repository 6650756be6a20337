"""Errors that a person meets: one sentence each, with the value at fault and a way out."""

from __future__ import annotations

__all__ = ["DataError", "JobError", "SettingsError", "VadError"]


class VadError(Exception):
    """Something a person can mend. The message is one sentence; the command line prints it without a traceback."""


class SettingsError(VadError):
    """A setting is unknown, of the wrong type, or out of range."""


class DataError(VadError):
    """Raw data, labels or derived frames are missing, broken, or contradict each other."""


class JobError(VadError):
    """A training, scoring or registry job cannot go on."""
