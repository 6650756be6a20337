"""Errors that users see: one sentence each, with the value at fault and a way out."""

from __future__ import annotations

__all__ = ["DataError", "JobError", "SettingsError", "VadError"]


class VadError(Exception):
    """An error that a user can fix. The message is one sentence; the command line prints it without a traceback."""


class SettingsError(VadError):
    """A setting is unknown, of the wrong type, or out of range."""


class DataError(VadError):
    """Raw data, labels or derived frames are missing or broken, or contradict each other."""


class JobError(VadError):
    """A training, scoring or registry job cannot go on."""
