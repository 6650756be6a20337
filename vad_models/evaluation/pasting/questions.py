"""The tampered copies of held-out video: how many anomalies of each kind, and how many controls."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vad_models.evaluation.pasting.compose import Pasted
from vad_models.evaluation.pasting.kinds import CONTROL, KINDS, pasted
from vad_models.evaluation.pasting.places import Scene

__all__ = ["asked", "tampered_copies"]

_CLIPS, _CONTROLS = 4, 12
"""Clips per kind, and clips with a control, that are made of a camera's held-out videos together, or a few more: each
video gives as many as the others. One would be chance."""
_SEEDS = 1000
"""Seeds of a video."""


def asked(videos: int) -> list[str]:
    """Kinds and controls that are pasted into each of a camera's held-out videos, each into a copy of its own.

    Args:
        videos: how many videos of the camera are held out.
    """
    varied = [kind for kind in KINDS if kind != "fast"]  # all copies of what is played fast would be alike
    return ["fast", *varied * -(-_CLIPS // videos), *[CONTROL] * -(-_CONTROLS // videos)]


def tampered_copies(
    video: np.ndarray, scene: Scene, number: int, videos: int
) -> Iterator[tuple[str, Pasted]]:
    """Anomalies and controls in copies of a held-out video, one at a time; a kind without a place in it is left out.

    Args:
        video: uint8 (T, H, W, C).
        scene: of its camera's training video.
        number: of the video among all that are held out; another number gives other anomalies.
        videos: how many videos of the camera are held out.
    """
    for copy, kind in enumerate(asked(videos)):
        made = pasted(kind, video, scene, _SEEDS * number + copy)
        if made is not None:
            yield kind, made
