"""Walls with windows, seen in perspective."""

from __future__ import annotations

import numpy as np

from vad_models.data.synth.campus.cameras import Building, Camera
from vad_models.data.synth.campus.exact import FloatArray, fractal_noise, lattice_hash, smoothstep
from vad_models.data.synth.campus.ground import rgb

__all__ = ["draw_building"]


def _box_cover(offset: FloatArray, half: float, px: FloatArray) -> FloatArray:
    """Coverage 0..1 of |offset| < half, blurred over a pixel."""
    return np.clip((half - np.abs(offset)) / px + 0.5, 0, 1)


def _skin(
    style: str, colour: tuple[int, int, int], a: FloatArray, z: FloatArray, px: FloatArray, seed: int
) -> FloatArray:
    """Paint the wall without its windows; `a` metres along, `z` metres up."""
    stains = (
        0.86 + 0.16 * fractal_noise(a / 2, z / 6, seed, 4) + 0.08 * fractal_noise(a * 4, z * 4, seed + 3, 2)
    )
    if style == "brick":
        shifted = a + 0.125 * (np.floor(z / 0.09) % 2)
        tone = (
            lattice_hash(np.floor(shifted / 0.25).astype(np.int64), np.floor(z / 0.09).astype(np.int64), seed)
            - 0.5
        )
        bed = _box_cover((z / 0.09 - np.rint(z / 0.09)) * 0.09, 0.008, px) * np.minimum(1.0, 0.016 / px)
        return rgb(colour, stains * (1 + 0.22 * tone * np.minimum(1.0, 0.2 / px)) * (1 + 0.25 * bed))
    if style == "concrete":
        seam = _box_cover((z / 1.7 - np.rint(z / 1.7)) * 1.7, 0.02, px) + _box_cover(
            (a / 2.6 - np.rint(a / 2.6)) * 2.6, 0.02, px
        )
        return rgb(colour, stains * (1 - 0.35 * np.minimum(seam, 1) * np.minimum(1.0, 0.05 / px)))
    return rgb(colour, stains)


def _glass(cell: FloatArray, up: FloatArray, a: FloatArray, z: FloatArray, seed: int) -> FloatArray:
    """Paint panes that mirror the sky above and trees below; some have a blind, each drawn to a different height."""
    mirrored = smoothstep(0.35, 0.7, fractal_noise(a / 3 + cell, z / 2, seed + 5, 3))
    pane = rgb((58, 70, 82), 0.75 + 0.5 * up) + rgb((74, 84, 92), mirrored * (0.35 + 0.65 * up))
    blind = ((cell > 0.66) & (up > 1.0 - 1.6 * (cell - 0.55)))[..., None]
    return np.where(blind, rgb((186, 180, 166), 0.78 + 0.12 * ((z * 9) % 1.0)), pane)


def draw_building(
    building: Building,
    camera: Camera,
    rays: tuple[FloatArray, FloatArray, FloatArray],
    picture: FloatArray,
    reach: FloatArray,
    light: FloatArray,
    seed: int,
) -> None:
    """Paint the walls where they are nearer than `reach` (depth in metres); updates `picture`, `reach` and `light`."""
    dx, dy, dz = rays
    start = 0.0
    for (x0, y0), (x1, y1) in zip(building.corners, building.corners[1:], strict=False):
        ex, ey = x1 - x0, y1 - y0
        length = float(np.sqrt(ex * ex + ey * ey))
        ex, ey = ex / length, ey / length
        nx, ny = ey, -ex  # towards the camera for corners listed left to right
        toward = dx * nx + dy * ny
        t = (x0 * nx + y0 * ny) / np.where(np.abs(toward) < 1e-6, 1e-6, toward)
        a = (dx * t - x0) * ex + (dy * t - y0) * ey
        z = camera.view.mast + dz * t
        seen = (t > 0.5) & (t < reach) & (a >= 0) & (a <= length) & (z >= 0) & (z <= building.height)
        t, a, z = t[seen], a[seen] + start, z[seen]
        px = t / camera.view.focal / 2
        colour = _skin(building.style, building.colour, a, z, px, seed + 13)

        storey, bay = building.storey, building.bay
        column, row = np.floor(a / bay), np.floor(z / storey)
        cell = lattice_hash(column.astype(np.int64), row.astype(np.int64), seed + 29)
        u, v = a - (column + 0.5) * bay, z - (row + 0.56) * storey
        share = 0.94 if building.style == "glass" else 0.60
        half_w, half_h = share * bay / 2, (0.44 if building.style == "glass" else 0.27) * storey
        frame = _box_cover(u, half_w + 0.09, px) * _box_cover(v, half_h + 0.09, px)
        pane = _box_cover(u, half_w, px) * _box_cover(v, half_h, px)
        bars = np.maximum(_box_cover(u, 0.035, px), _box_cover(v - 0.4 * half_h, 0.035, px)) * np.minimum(
            1.0, 0.08 / px
        )
        fits = ((row + 1) * storey < building.height)[..., None]
        trim = rgb((206, 202, 192) if building.style != "glass" else (120, 126, 130), 0.9 + 0.1 * cell)
        window = _glass(cell, np.clip(0.5 + v / (2 * half_h), 0, 1), a, z, seed)
        window = window * (1 - 0.45 * smoothstep(half_h - 0.35, half_h, v))[..., None]  # the lintel's shadow
        window += (trim - window) * (0.8 * bars)[..., None]
        colour += (trim * 0.86 - colour) * (frame * 0.9)[..., None] * fits
        colour += (window - colour) * pane[..., None] * fits
        sill = _box_cover(u, half_w + 0.2, px) * _box_cover(v + half_h + 0.14, 0.07, px)
        colour += (rgb((200, 196, 186), 0.95 + 0.0 * z) - colour) * (0.8 * sill)[..., None] * fits

        band = _box_cover(z - 0.35, 0.35, px)[..., None]
        colour += (rgb((112, 108, 104), 0.9 + 0.2 * fractal_noise(a, z, seed + 47, 2)) - colour) * (
            0.85 * band
        )
        cornice = _box_cover(z - building.height + 0.25, 0.25, px)[..., None]
        colour += (rgb((196, 190, 180), np.ones_like(z)) - colour) * (0.7 * cornice)
        door = (cell > 0.80) & (row == 0)
        leaf = _box_cover(u, 0.95, px) * _box_cover(z - 1.2, 1.2, px) * door
        colour += (rgb((74, 60, 52), 0.85 + 0.3 * _box_cover(np.abs(u) - 0.48, 0.34, px)) - colour) * leaf[
            ..., None
        ]

        lambert = max(0.0, -(nx * camera.lean[0] + ny * camera.lean[1]))
        norm = float(np.sqrt(1 + camera.lean[0] * camera.lean[0] + camera.lean[1] * camera.lean[1]))
        exposure = 0.70 + 0.42 * lambert / norm if camera.sunny else 0.90
        haze = smoothstep(25, 140, t)[..., None]
        colour = colour * (exposure * (0.80 + 0.20 * smoothstep(0, 2.5, z)))[..., None]
        picture[seen] = colour + (np.array([188.0, 194.0, 200.0]) - colour) * haze
        reach[seen] = t
        light[seen] = 1.0
        start += length
