"""Trees and shrubs: crowns of leafy balls that the wind moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vad_models.data.synth.campus.cameras import Tree
from vad_models.data.synth.campus.exact import Dice, FloatArray, cosine, fractal_noise, sine, smoothstep
from vad_models.data.synth.campus.raster import Point
from vad_models.data.synth.campus.view import View

__all__ = ["draw_tree"]

_SWAY_METRES = 0.055


def _balls(tree: Tree, dice: Dice) -> list[tuple[Point, float]]:
    """Draw centres and radii of the balls of leaves."""
    if tree.trunk == 0:
        return [
            (
                (tree.x + dice.uniform(-0.15, 0.15), tree.y, 0.55 * tree.crown),
                tree.crown * dice.uniform(0.85, 1.1),
            )
        ]
    balls = []
    for _ in range(30):
        turn, away, up = dice.uniform(), dice.uniform(0.15, 0.72), dice.uniform(-0.55, 0.75)
        width = away * tree.crown * (1.0 - 0.35 * up)
        centre = (
            tree.x + width * cosine(turn),
            tree.y + width * sine(turn),
            tree.trunk + tree.crown * (0.85 + 0.85 * up),
        )
        balls.append((centre, tree.crown * dice.uniform(0.22, 0.40)))
    return balls


def draw_tree(
    tree: Tree,
    view: View,
    light: Point,
    dice: Dice,
    still: FloatArray,
    swayed: FloatArray,
    distance: FloatArray,
    lag: NDArray[np.int64],
) -> None:
    """Paint the crown into `still`, and moved by the wind into `swayed`; mark its distance and the lag of its sway."""
    balls = sorted(_balls(tree, dice), key=lambda ball: -view.project(ball[0])[2])
    foot = view.project((tree.x, tree.y, 0.0))[2]
    phase = dice.integer(0, 256)
    texture = dice.integer(0, 1 << 20)
    low = min(ball[0][2] - ball[1] for ball in balls)
    high = max(ball[0][2] + ball[1] for ball in balls)
    for number, (centre, radius) in enumerate(balls):
        cx, cy, depth = view.project(centre)
        if depth < 1:
            continue
        reach = radius * view.focal / depth
        push = (
            dice.uniform(0.5, 1.5) * _SWAY_METRES * view.focal / depth
            if tree.trunk > 0
            else 0.012 * view.focal / depth
        )
        mean_height = (centre[2] - low) / max(high - low, 1e-6)
        for target, shift in ((still, 0.0), (swayed, push)):
            left, right = (
                max(0, int(cx + shift - reach * 1.3)),
                min(view.width, int(cx + shift + reach * 1.3) + 2),
            )
            top, bottom = max(0, int(cy - reach * 1.3)), min(view.height, int(cy + reach * 1.3) + 2)
            if left >= right or top >= bottom:
                break
            ox = (np.arange(left, right) - cx - shift)[None, :] / reach + np.zeros((bottom - top, 1))
            oy = (np.arange(top, bottom) - cy)[:, None] / reach + np.zeros((1, right - left))
            # Sprays of leaves are about 15 cm across, whatever the distance.
            scale = radius / 0.15
            clumps = fractal_noise(ox * scale * 0.3 + 7 * number, oy * scale * 0.3, texture, 3)
            leaf = fractal_noise(ox * scale + 13 * number, oy * scale, texture + 1, 2)
            edge = ox * ox + oy * oy + 1.5 * (clumps - 0.5) + 1.1 * (leaf - 0.5)
            cover = smoothstep(0.0, 0.18, 0.95 - edge)
            bulge = np.sqrt(np.maximum(0.0, 1.0 - np.minimum(1.0, ox * ox + oy * oy)))
            facing = np.maximum(0.0, ox * light[0] + oy * light[1] + bulge * light[2])
            tone = (0.36 + 0.34 * mean_height + 0.50 * facing) * (0.22 + 1.10 * leaf + 0.50 * clumps)
            colour = tone[..., None] * (
                np.array(tree.tone, np.float64) + 26 * (leaf[..., None] - 0.5) * np.array([1.0, 1.0, 0.2])
            )
            colour += 24 * smoothstep(0.62, 0.8, leaf * facing + 0.3)[..., None] * np.array([1.0, 1.0, 0.6])
            target[top:bottom, left:right] += (colour - target[top:bottom, left:right]) * cover[..., None]
            solid = cover > 0.5
            window = distance[top:bottom, left:right]
            window[solid] = np.minimum(window[solid], foot)
            lag[top:bottom, left:right][cover > 0] = phase + 5 * number
