"""Finished jobs, made up as for the tests of what reads them."""

from __future__ import annotations

from tests.flows.conftest import benchmark, make_job, paths

__all__ = ["benchmark", "make_job", "paths"]
