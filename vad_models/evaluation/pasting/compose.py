"""Acts: who is seen where in which frame; and how they are pasted into video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vad_models.evaluation.pasting.foreground import background, grain
from vad_models.evaluation.pasting.walkers import Look

__all__ = ["Act", "Pasted", "compose", "gait"]

_OPAQUE = 0.25
"""Opacity from which a pixel belongs to what is pasted."""
_VISIBLE = 0.3
"""Share of a thing that must be seen for the frame to count as abnormal."""
_LIGHT = (0.8, 1.25)
"""Smallest and largest factor that brightness is matched by."""


@dataclass(frozen=True)
class Act:
    """Something that is seen in a video of T frames.

    Attributes:
        looks: one per frame.
        feet: float64 (T, 2), the point (x, y) of the frame that it stands on; NaN where it is not there.
        scale: float64 (T,), its size as a multiple of the cut-out's.
        abnormal: bool (T,), in which frames it is an anomaly.
        rigid: its pixels come from one frame, so that the camera's grain is missing.
    """

    looks: Sequence[Look]
    feet: np.ndarray
    scale: np.ndarray
    abnormal: NDArray[np.bool_]
    rigid: bool = False


@dataclass(frozen=True)
class Pasted:
    """Normal video with something in it that is not normal, or, as a control, is.

    Attributes:
        frames: uint8 (T, H, W, C).
        mask: bool (T, H, W), which pixels show the anomaly; none in a control, and none in frames where less than 0.3
            of the thing is seen. Its soft edge and shadow reach up to 3 pixels beyond.
        changed: bool (T, H, W), which pixels anything was pasted into, normal or not, with soft edges and shadows.
    """

    frames: np.ndarray
    mask: NDArray[np.bool_]
    changed: NDArray[np.bool_]

    @property
    def abnormal(self) -> NDArray[np.bool_]:
        """Bool (T,), the frames that show the anomaly."""
        return np.asarray(self.mask.any((1, 2)))


def gait(looks: Sequence[Look], count: int, tempo: float, start: int) -> list[Look]:
    """Looks of `count` frames: forwards and backwards through `looks`, at `tempo` times their pace."""
    if len(looks) == 1:
        return [looks[0]] * count
    steps = (start + np.floor(tempo * np.arange(count)).astype(int)) % (2 * len(looks) - 2)
    return [looks[min(step, 2 * len(looks) - 2 - step)] for step in steps]


def compose(video: np.ndarray, acts: Sequence[Act], light: float, rng: np.random.Generator) -> Pasted:
    """Paste acts, the later in front of the earlier, into uint8 (T, H, W, C), which is not changed.

    Args:
        video: normal video.
        acts: what is pasted.
        light: mean brightness, in [0, 255], of the background that it was cut out of.
        rng: draws the grain of what is rigid.
    """
    frames, noise, still = np.array(video), grain(video), background(video)
    light = float(np.clip(still.mean() / max(light, 1.0), *_LIGHT))
    mask, changed = np.zeros(video.shape[:3], bool), np.zeros(video.shape[:3], bool)
    for time in range(len(video)):
        for act in acts:
            if np.isnan(act.feet[time, 0]):
                continue
            look, scale = act.looks[time], float(act.scale[time])
            box, pixels, opacity = _placed(look, act.feet[time], scale, still.shape[:2])
            shown = opacity >= _OPAQUE
            pixels = pixels * light
            if act.rigid:
                pixels = pixels + rng.normal(0, noise, pixels.shape)
            blend = opacity[..., None]
            frame = frames[time][box]
            frames[time][box] = np.clip(frame * (1 - blend) + pixels * blend, 0, 255).round().astype(np.uint8)
            changed[time][box] |= opacity > 0
            mask[time][box] &= ~shown  # it hides what is behind
            if act.abnormal[time] and shown.sum() >= _VISIBLE * scale**2 * (look.mask >= _OPAQUE).sum():
                mask[time][box] |= shown
    return Pasted(frames, mask, changed)


def _placed(
    look: Look, foot: np.ndarray, scale: float, size: tuple[int, int]
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """The part of a frame of `size` that a look on `foot` is in, with its pixels, (h, w, C), and opacity, (h, w)."""
    corner = foot - scale * np.array(look.foot)
    first = np.floor(corner).astype(int) - 1
    high, wide = (int(np.ceil(scale * length)) + 3 for length in look.mask.shape)
    place = np.array([[scale, 0, corner[0] - first[0]], [0, scale, corner[1] - first[1]]], np.float32)
    opacity = cv2.warpAffine(look.mask, place, (wide, high))
    pixels = cv2.warpAffine(
        look.pixels, place, (wide, high), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    pixels = pixels.reshape(high, wide, -1)
    left, top = np.clip(first, 0, (size[1], size[0]))
    right, low = np.clip((first[0] + wide, first[1] + high), 0, (size[1], size[0]))
    inside = np.s_[top - first[1] : low - first[1], left - first[0] : right - first[0]]
    return np.s_[top:low, left:right], pixels[inside], opacity[inside]
