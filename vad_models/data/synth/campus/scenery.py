"""The still picture of a camera: ground, buildings, trees and street furniture under its light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vad_models.data.synth.campus.cameras import CAMERAS, Camera, Tree, Walkway
from vad_models.data.synth.campus.exact import Dice, FloatArray, fractal_noise, lattice_hash, smoothstep
from vad_models.data.synth.campus.facades import draw_building
from vad_models.data.synth.campus.figures import Place
from vad_models.data.synth.campus.foliage import draw_tree
from vad_models.data.synth.campus.ground import MATERIALS, rgb
from vad_models.data.synth.campus.raster import Capsule, Face, Point, paint
from vad_models.data.synth.campus.vehicles import box
from vad_models.data.synth.campus.view import View

__all__ = ["Scenery", "light_of", "scenery"]

_SS = 2  # supersampling
_SHADE = np.array([0.56, 0.59, 0.66])  # what is left of the light in a shadow: the blue of the sky


@dataclass(frozen=True)
class Scenery:
    """Everything in front of a camera that does not move by itself.

    `still` and `swayed`, uint8 (H, W, 3), are the picture in calm air and with the crowns moved by the wind. They
    differ at the flat pixel indices `leaves`, whose sway lags by `lag` (0..255). `depth`, float32 (H, W), is the
    distance of the object there, infinite over open ground. `sunlit`, int32 (H, W), is 256 in full light and less in a
    shadow.
    """

    still: NDArray[np.uint8]
    swayed: NDArray[np.uint8]
    leaves: NDArray[np.int64]
    lag: NDArray[np.int64]
    depth: NDArray[np.float32]
    sunlit: NDArray[np.int32]


def light_of(camera: Camera) -> tuple[Point, float]:
    """Compute the direction to the light in image axes (x right, y down, z to the viewer), and the ambient share."""
    x, y, z = (-camera.lean[0], -1.0, camera.lean[1] + 0.3) if camera.sunny else (0.15, -1.0, 0.7)
    norm = float(np.sqrt(x * x + y * y + z * z))
    return (x / norm, y / norm, z / norm), 0.45 if camera.sunny else 0.66


def _along(way: Walkway, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compute the distance to a walkway's middle line, and the distance travelled along it at the nearest point."""
    best = np.full_like(x, 1e9)
    travelled = np.zeros_like(x)
    start = 0.0
    for (x0, y0), (x1, y1) in zip(way.points, way.points[1:], strict=False):
        ex, ey = x1 - x0, y1 - y0
        length = float(np.sqrt(ex * ex + ey * ey))
        t = np.clip(((x - x0) * ex + (y - y0) * ey) / (length * length), 0, 1)
        dx, dy = x - x0 - t * ex, y - y0 - t * ey
        distance = np.sqrt(dx * dx + dy * dy)
        travelled = np.where(distance < best, start + t * length, travelled)
        best = np.minimum(best, distance)
        start += length
    return best, travelled


def _ground(camera: Camera, x: FloatArray, y: FloatArray, px: FloatArray, seed: int) -> FloatArray:
    c, s = camera.tile_turn
    tx, ty = x * c + y * s, y * c - x * s
    colour = MATERIALS[camera.ground](tx, ty, px, seed)
    for number, way in enumerate(reversed(camera.walkways)):
        distance, travelled = _along(way, x, y)
        inside = way.width / 2 + 0.3 - distance
        near = inside > -1.0
        if way.material != camera.ground or way.lanes:
            (x0, y0), (x1, y1) = way.points[0], way.points[1]
            length = float(np.sqrt((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0)))
            c, s = (x1 - x0) / length, (y1 - y0) / length
            surface = MATERIALS[way.material](
                x[near] * c + y[near] * s, y[near] * c - x[near] * s, px[near], seed + 31 * number + 5
            )
            ragged = (
                0.25 * (fractal_noise(x[near] * 2, y[near] * 2, seed + 71, 3) - 0.5)
                if camera.ground == "grass"
                else 0.0
            )
            blend = np.clip((inside[near] + ragged) / px[near] + 0.5, 0, 1)[:, None]
            colour[near] += (surface - colour[near]) * blend
        kerb = np.clip((0.09 - np.abs(inside)) / px + 0.5, 0, 1) * np.minimum(1.0, 0.18 / px)
        colour += (rgb((176, 172, 164), 0.85 + 0.2 * fractal_noise(x, y, seed + 3, 2)) - colour) * (
            0.75 * kerb
        )[:, None]
        if way.lanes:
            dash = (travelled % 4.0 < 2.2) & near
            paintwork = np.clip((0.07 - distance) / px + 0.5, 0, 1) * np.minimum(1.0, 0.14 / px) * dash
            colour += (np.array([214, 212, 200]) - colour) * (0.7 * paintwork)[:, None]
    if camera.trees:
        spots = lattice_hash(np.floor(x * 7).astype(np.int64), np.floor(y * 7).astype(np.int64), seed + 41)
        litter = (
            (spots > 0.988) * np.minimum(1.0, 0.14 / px) * (fractal_noise(x / 3, y / 3, seed + 43, 2) > 0.5)
        )
        colour += (np.array([122, 104, 58]) - colour) * (0.6 * litter)[:, None]
    return colour


def _ground_light(camera: Camera, x: FloatArray, y: FloatArray, seed: int) -> FloatArray:
    """Compute the light on the ground, 1 in the open and 0 in full shadow."""
    light = np.ones_like(x)
    for building in camera.buildings:
        for (x0, y0), (x1, y1) in zip(building.corners, building.corners[1:], strict=False):
            ex, ey = x1 - x0, y1 - y0
            length = float(np.sqrt(ex * ex + ey * ey))
            away = np.abs((x - x0) * ey - (y - y0) * ex) / length
            along = ((x - x0) * ex + (y - y0) * ey) / (length * length)
            light = np.minimum(
                light, np.where((along > 0) & (along < 1), 0.62 + 0.38 * smoothstep(0.0, 1.6, away), 1.0)
            )
            if not camera.sunny:
                continue
            lx, ly = camera.lean
            det = ex * ly - ey * lx
            if -1e-6 < det < 1e-6:
                continue
            along = ((x - x0) * ly - (y - y0) * lx) / det
            height = (ex * (y - y0) - ey * (x - x0)) / det
            hit = (along > 0) & (along < 1) & (height > 0)
            light = np.where(hit, np.minimum(light, smoothstep(-0.4, 0.4, height - building.height)), light)
    for number, tree in enumerate(camera.trees):
        middle = tree.trunk + 0.75 * tree.crown
        dx, dy = x - tree.x - camera.lean[0] * middle, y - tree.y - camera.lean[1] * middle
        apart = np.sqrt(dx * dx + dy * dy) / tree.crown
        near = apart < 1.6
        wobble = fractal_noise(x[near] * 1.6, y[near] * 1.6, seed + 211 + number, 3) - 0.5
        edge = smoothstep(0.75 if camera.sunny else 0.2, 1.1, apart[near] + 0.9 * wobble)
        light[near] = np.minimum(light[near], 1 - (0.9 if camera.sunny else 0.35) * (1 - edge))
    return light


def _furniture(camera: Camera) -> list[tuple[Point, list[Capsule | Face]]]:
    """Build lamp posts and benches: the foot of each, and its parts."""
    things: list[tuple[Point, list[Capsule | Face]]] = []
    for x, y in camera.lamps:
        post: list[Capsule | Face] = [
            Capsule((x, y, 0.0), (x, y, 0.5), 0.10, 0.09, (70, 74, 76)),
            Capsule((x, y, 0.4), (x, y, 4.4), 0.055, 0.045, (84, 88, 92)),
            Capsule((x, y, 4.4), (x + 0.55, y - 0.1, 4.62), 0.04, 0.035, (84, 88, 92)),
            Capsule((x + 0.5, y - 0.1, 4.6), (x + 0.95, y - 0.15, 4.62), 0.09, 0.07, (206, 204, 190)),
        ]
        things.append(((x, y, 0.0), post))
    for x, y, hx, hy in camera.benches:
        place = Place(x, y, hx, hy)
        parts: list[Capsule | Face] = []
        for forward in (-0.16, 0.0, 0.16):
            parts += box(place, (0.13, 1.7, 0.05), 0.42, (142, 104, 70), (forward, 0.0))
        for up in (0.62, 0.80):
            parts += box(place, (0.05, 1.7, 0.12), up, (134, 98, 66), (-0.27, 0.0))
        for left in (0.7, -0.7):
            for a, b in (((0.18, 0.0), (0.18, 0.42)), ((-0.24, 0.0), (-0.28, 0.92))):
                parts.append(
                    Capsule(place.at(a[0], left, a[1]), place.at(b[0], left, b[1]), 0.035, 0.03, (62, 62, 64))
                )
        things.append(((x, y, 0.0), parts))
    return things


def _downsample(picture: FloatArray) -> NDArray[np.uint8]:
    """Average blocks of supersampled pixels, then soften like a lens ([1 6 1] both ways), with integers throughout."""
    levels = np.clip(picture, 0, 255).astype(np.int32)
    small = sum(levels[i::_SS, j::_SS] for i in range(_SS) for j in range(_SS)) * 4 // (_SS * _SS)
    padded = np.pad(small, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:-2] + 6 * padded[1:-1] + padded[2:]
    both = rows[:, :-2] + 6 * rows[:, 1:-1] + rows[:, 2:]
    return (both >> 8).clip(0, 255).astype(np.uint8)


@cache
def scenery(number: int, seed: int) -> Scenery:
    """Draw the still picture of camera `number` (1..13)."""
    camera = CAMERAS[number - 1]
    view, dice = camera.view, Dice(seed, number, 0)
    texture = dice.integer(0, 1 << 20)
    dx, dy, dz = view.rays(_SS)
    picture = np.empty((*dx.shape, 3))
    distance = np.full(dx.shape, np.inf)
    light = np.ones(dx.shape)

    sky = dz > -0.02
    clouds = smoothstep(0.4, 0.8, fractal_noise(dx * 6, dz * 14, texture, 4))[..., None]
    picture[:] = (
        np.array([196.0, 210.0, 226.0])
        + (np.array([232.0, 233.0, 235.0]) - np.array([196.0, 210.0, 226.0])) * clouds
    )
    down = ~sky
    t = view.mast / -dz[down]
    # At a flat angle a pixel is long and thin on the ground; near the mean, textures are crisp and do not alias.
    px = t / view.focal / _SS * np.sqrt(np.maximum(1.0, 0.35 * t / view.mast))
    gx, gy = dx[down] * t, dy[down] * t
    haze = smoothstep(30, 160, t)[:, None]
    ground = _ground(camera, gx, gy, px, texture)
    light[down] = _ground_light(camera, gx, gy, texture)
    picture[down] = ground + (np.array([186.0, 192.0, 198.0]) - ground) * haze
    reach = np.full(dx.shape, 1e6)
    reach[down] = t
    for building in sorted(camera.buildings, key=lambda b: -min(y for _, y in b.corners)):
        draw_building(building, camera, (dx, dy, dz), picture, reach, light, texture)
    distance = np.where(reach < np.where(down, view.mast / np.maximum(-dz, 1e-9), 1e6) - 1e-9, reach, np.inf)

    shade = _SHADE if camera.sunny else np.array([0.62, 0.63, 0.66])
    picture *= shade + (1 - shade) * light[..., None]
    sunlit = (light[::_SS, ::_SS] * 256).astype(np.int32)
    swayed = picture.copy()
    lag = np.zeros(dx.shape, np.int64)
    large = View(view.mast, view.tilt, view.focal * _SS, view.width * _SS, view.height * _SS)
    direction, ambient = light_of(camera)

    def furnish(foot: Point, parts: list[Capsule | Face]) -> None:
        patch = paint(parts, large, direction, ambient + 0.15)
        if patch is None:
            return
        rows, columns = (
            slice(patch.top, patch.top + patch.alpha.shape[0]),
            slice(patch.left, patch.left + patch.alpha.shape[1]),
        )
        alpha = patch.alpha[..., None] / 256
        for target in (picture, swayed):
            target[rows, columns] += (patch.colour - target[rows, columns]) * alpha
        distance[rows, columns] = np.where(patch.alpha > 128, view.project(foot)[2], distance[rows, columns])

    def plant(tree: Tree) -> None:
        if tree.trunk > 0:
            trunk = Capsule(
                (tree.x, tree.y, 0.0),
                (tree.x, tree.y, tree.trunk + 0.6 * tree.crown),
                0.17,
                0.10,
                (92, 76, 62),
            )
            furnish((tree.x, tree.y, 0.0), [trunk])
        draw_tree(tree, large, direction, dice, picture, swayed, distance, lag)

    standing: list[tuple[float, object]] = [(tree.y, tree) for tree in camera.trees]
    standing += [(foot[1], (foot, parts)) for foot, parts in _furniture(camera)]
    for _, thing in sorted(standing, key=lambda item: -item[0]):
        if isinstance(thing, Tree):
            plant(thing)
        else:
            furnish(*thing)  # type: ignore[misc]

    still_small, swayed_small = _downsample(picture), _downsample(swayed)
    leaves = np.flatnonzero((still_small != swayed_small).any(axis=2))
    depth = distance[::_SS, ::_SS].astype(np.float32)
    return Scenery(still_small, swayed_small, leaves, lag[::_SS, ::_SS].ravel()[leaves], depth, sunlit)
