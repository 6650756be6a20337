from __future__ import annotations

import pytest

from vad_models.jobs.code_version import code_version, statements_digest

SOURCE = b'''
"""Two scores."""

import math


class Settings:
    """Of a method."""

    weight: float = 0.5
    """Of the second score."""


def score(error: float, *others: float, weight: float = 0.5) -> list[float]:
    """Higher is more abnormal."""
    return [math.sqrt(error), weight * error, *others]  # per frame
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Two scores.", b"Two scores of a frame."),
        (b"Of a method.", b""),
        (b'    """Of the second score."""\n', b""),
        (b"  # per frame", b""),
        (b"[math.sqrt(error), weight * error, *others]", b"[\n    math.sqrt(error), weight * error, *others,\n]"),
    ],
)  # fmt: skip
def test_docstrings_comments_and_layout_do_not_count(old: bytes, new: bytes) -> None:
    assert statements_digest(SOURCE.replace(old, new)) == statements_digest(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"0.5\n", b"0.25\n"),
        (b"0.5\n", b'"0.5"\n'),
        (b"weight * error", b"weight + error"),
        (b"weight * error", b"error * weight"),
        (b"*others]", b"others]"),
        (b"return [", b"return ['', "),
        (b"    return", b"    error = abs(error)\n    return"),
        (b"= 0.5) ->", b"= None) ->"),
    ],
)
def test_every_other_change_counts(old: bytes, new: bytes) -> None:
    assert old in SOURCE
    assert statements_digest(SOURCE.replace(old, new)) != statements_digest(SOURCE)


def test_the_digest_is_the_same_in_every_version_of_python() -> None:
    """Where it is not, models that are trained with one version are not found with another."""
    assert statements_digest(SOURCE) == "cf4c369196be40420e785bbed542635f413250772dc1d0051f320dd48266af0d"


def test_a_method_has_a_version_of_its_own() -> None:
    assert len({code_version(method) for method in ("conv_ae", "ffp", "decoupled")}) == 3
