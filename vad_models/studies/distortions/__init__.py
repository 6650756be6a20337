"""Distortions of video: what light, weather, lenses, mounts and links do to a camera's picture.

Each distortion is one function in one of the modules here, and is found automatically: `@distortion` of pixels, in
batches of frames on any device, or `@delivery` of frames that come late or never. It is deterministic in (video, frame,
seed): all randomness is drawn on the CPU from generators seeded by these, so that the distortion of a frame does not
depend on its block. What moves in the world moves here: streaks fall, flakes sway, fog drifts, a mount trembles, dirt
stays where it is.

Lengths are shares of the frame's height, so that a severity means the same at any resolution.
"""

from __future__ import annotations

import importlib

import numpy as np

from vad_models.errors import SettingsError
from vad_models.studies.distortions.kinds import DISTORTIONS, SEVERITIES

__all__ = ["DISTORTIONS", "SEVERITIES", "distort"]

for _module in ("light", "weather", "lens", "link"):  # the order of contact sheets and messages
    importlib.import_module(f"{__name__}.{_module}")


def distort(
    video: np.ndarray, name: str, severity: int, key: str, seed: int = 0, device: str = "cpu"
) -> np.ndarray:
    """Show a whole video under one distortion.

    Args:
        video: uint8 (T, H, W, C).
        name: one of `DISTORTIONS`.
        severity: 0 (the video itself) or one of `SEVERITIES`.
        key: what tells the video from others (camera and name).
        seed: of the study.
        device: where it is computed.

    Returns:
        uint8 (T, H, W, C).

    Raises:
        SettingsError: there is no such distortion or severity.
    """
    if name not in DISTORTIONS:
        raise SettingsError(
            f"there is no distortion {name!r}; the distortions there are: {', '.join(DISTORTIONS)}."
        )
    if severity not in (0, *SEVERITIES):
        raise SettingsError(f"severity {severity!r} is not allowed: it is 0 (clean) to {SEVERITIES[-1]}.")
    if severity == 0:
        return video
    return DISTORTIONS[name].apply(video, severity, key, seed, device)
