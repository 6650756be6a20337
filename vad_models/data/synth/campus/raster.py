"""Drawing of bodies: tapered capsules and convex polygons with shading, anti-aliased, by elementwise arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vad_models.data.synth.campus.view import View

__all__ = ["Capsule", "Face", "Patch", "Point", "paint", "shadow"]

Point = tuple[float, float, float]
Colour = tuple[int, int, int]
_F = np.float32


@dataclass(frozen=True)
class Capsule:
    """A limb: a ball of radius `ra` at `a`, swept to one of radius `rb` at `b`. World coordinates in metres."""

    a: Point
    b: Point
    ra: float
    rb: float
    colour: Colour
    casts: bool = True


@dataclass(frozen=True)
class Face:
    """A flat convex piece of a body; `corners` in world coordinates, in either sense of rotation."""

    corners: tuple[Point, ...]
    colour: Colour
    casts: bool = True


@dataclass(frozen=True)
class Patch:
    """A drawn body whose corner is at `top`, `left`: `colour` (h, w, 3) 0..255, `alpha` (h, w) 0..256, int32."""

    top: int
    left: int
    colour: NDArray[np.int32]
    alpha: NDArray[np.int32]


def _box(xs: list[float], ys: list[float], view: View) -> tuple[int, int, int, int] | None:
    left, right = max(0, int(min(xs)) - 2), min(view.width, int(max(xs)) + 3)
    top, bottom = max(0, int(min(ys)) - 2), min(view.height, int(max(ys)) + 3)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _capsule_fields(
    ends: NDArray[np.float32], px: NDArray[np.float32], py: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Compute offsets (x, y), distance to the axis and local radius, each (N, h, w), for `ends` (N, 6).

    The columns of `ends` are ax, ay, ra, bx, by, rb.
    """
    ax, ay, ra, bx, by, rb = (ends[:, i, None, None] for i in range(6))
    ex, ey = bx - ax, by - ay
    length = np.maximum(ex * ex + ey * ey, _F(1e-6))
    dx, dy = px - ax, py - ay
    t = np.clip((dx * ex + dy * ey) / length, _F(0), _F(1))
    dx = dx - t * ex
    dy = dy - t * ey
    return dx, dy, np.sqrt(dx * dx + dy * dy), ra + t * (rb - ra)


def _face_fields(
    corners: list[tuple[float, float]], px: NDArray[np.float32], py: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Compute the signed distance (h, w) to the border of a convex polygon of screen points, positive inside."""
    area = 0.0
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        area += x0 * y1 - x1 * y0
    sense = 1.0 if area > 0 else -1.0
    inside: NDArray[np.float32] | None = None
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        ex, ey = x1 - x0, y1 - y0
        norm = float(np.sqrt(ex * ex + ey * ey))
        if norm < 1e-3:
            continue
        nx, ny = _F(-ey * sense / norm), _F(ex * sense / norm)
        distance = (px - _F(x0)) * nx + (py - _F(y0)) * ny
        inside = distance if inside is None else np.minimum(inside, distance)
    return np.full(np.broadcast_shapes(px.shape, py.shape), -9, _F) if inside is None else inside


def paint(parts: list[Capsule | Face], view: View, light: Point, ambient: float) -> Patch | None:
    """Draw the parts, far ones first; None if none of them is on screen.

    `light` points towards the light in image axes (x right, y down, z to the viewer), length 1; `ambient` in 0..1.
    """
    drawn: list[tuple[float, Capsule | Face, list[tuple[float, float, float]]]] = []
    xs: list[float] = []
    ys: list[float] = []
    for part in parts:
        points = (part.a, part.b) if isinstance(part, Capsule) else part.corners
        seen = [view.project(point) for point in points]
        if min(depth for _, _, depth in seen) < 0.5:
            return None
        middle = 0.0  # not sum(): its last bit depends on the version of Python
        for _, _, depth in seen:
            middle += depth
        drawn.append((middle / len(seen), part, seen))
        reach = (
            max(part.ra, part.rb) * view.focal / min(depth for _, _, depth in seen)
            if isinstance(part, Capsule)
            else 0.0
        )
        for x, y, _ in seen:
            xs += [x - reach, x + reach]
            ys += [y - reach, y + reach]
    box = _box(xs, ys, view)
    if box is None:
        return None
    left, top, right, bottom = box
    px = np.arange(left, right, dtype=_F)[None, :]
    py = np.arange(top, bottom, dtype=_F)[:, None]
    drawn.sort(key=lambda item: -item[0])
    count, shape = len(drawn), (bottom - top, right - left)
    cover = np.empty((count, *shape), _F)
    shade = np.empty((count, *shape), _F)

    limbs = [i for i, (_, part, _) in enumerate(drawn) if isinstance(part, Capsule)]
    if limbs:
        ends = np.empty((len(limbs), 6), _F)
        for row, i in enumerate(limbs):
            _, limb, spots = drawn[i]
            assert isinstance(limb, Capsule)
            (ax, ay, ad), (bx, by, bd) = spots
            ends[row] = (ax, ay, limb.ra * view.focal / ad, bx, by, limb.rb * view.focal / bd)
        dx, dy, distance, radius = _capsule_fields(ends, px, py)
        thin = np.minimum(_F(2) * radius, _F(1))
        cover[limbs] = np.clip(np.maximum(radius, _F(0.5)) - distance + _F(0.5), _F(0), _F(1)) * thin
        inverse = _F(1) / np.maximum(radius, _F(0.5))
        dx *= inverse
        dy *= inverse
        bulge = np.sqrt(np.maximum(_F(1) - dx * dx - dy * dy, _F(0)))
        facing = np.maximum(dx * _F(light[0]) + dy * _F(light[1]) + bulge * _F(light[2]), _F(0))
        shade[limbs] = (_F(ambient) + _F(1 - ambient) * facing) * (_F(0.7) + _F(0.3) * bulge)
    for i, (_, part, seen) in enumerate(drawn):
        if isinstance(part, Face):
            inside = _face_fields([(x, y) for x, y, _ in seen], px, py)
            cover[i] = np.clip(inside + _F(0.5), _F(0), _F(1))
            shade[i] = _F(0.85)

    # Part i is seen where no later (nearer) part covers it; weights are integers so that their sum has no order.
    seen_through = np.ones((count + 1, *shape), _F)
    for i in range(count - 1, -1, -1):
        seen_through[i] = seen_through[i + 1] * (_F(1) - cover[i])
    weight = (cover * seen_through[1:] * _F(256)).astype(np.int32)
    alpha = np.minimum(weight.sum(axis=0, dtype=np.int32), 256)
    lit = weight * (shade * _F(256)).astype(np.int32)
    total = np.maximum(weight.sum(axis=0, dtype=np.int32), 1)
    colour = np.empty((*shape, 3), np.int32)
    tones = np.array([part.colour for _, part, _ in drawn], np.int32)
    for channel in range(3):
        colour[..., channel] = (lit * tones[:, channel, None, None]).sum(axis=0, dtype=np.int32) // total >> 8
    return Patch(top, left, np.minimum(colour, 255), alpha)


def shadow(
    parts: list[Capsule | Face], view: View, lean: tuple[float, float], softness: float
) -> Patch | None:
    """Draw the soft shadow of the parts on the ground; only `alpha` of the patch counts.

    `lean` is in metres east and north per metre of height; `softness` is the width of the edge in pixels.
    """
    limbs: list[tuple[float, ...]] = []
    faces: list[list[tuple[float, float]]] = []
    xs: list[float] = []
    ys: list[float] = []
    for part in parts:
        if not part.casts:
            continue
        points = (part.a, part.b) if isinstance(part, Capsule) else part.corners
        spots = [view.project((x + lean[0] * z, y + lean[1] * z, 0.0)) for x, y, z in points]
        if min(depth for _, _, depth in spots) < 0.5:
            return None
        reach = softness
        if isinstance(part, Capsule):
            (ax, ay, ad), (bx, by, bd) = spots
            limbs.append((ax, ay, part.ra * view.focal / ad * 0.8, bx, by, part.rb * view.focal / bd * 0.8))
            reach += max(limbs[-1][2], limbs[-1][5])
        else:
            faces.append([(x, y) for x, y, _ in spots])
        xs += [x + sign * reach for x, _, _ in spots for sign in (-1, 1)]
        ys += [y + sign * reach for _, y, _ in spots for sign in (-1, 1)]
    box = _box(xs, ys, view) if xs else None
    if box is None:
        return None
    left, top, right, bottom = box
    px = np.arange(left, right, dtype=_F)[None, :]
    py = np.arange(top, bottom, dtype=_F)[:, None]
    inside = np.full((bottom - top, right - left), -9, _F)
    if limbs:
        _, _, distance, radius = _capsule_fields(np.array(limbs, _F), px, py)
        inside = (radius - distance).max(axis=0)
    for corners in faces:
        inside = np.maximum(inside, _face_fields(corners, px, py))
    cover = np.clip(inside / _F(softness) + _F(0.5), _F(0), _F(1))
    return Patch(top, left, np.zeros((1, 1, 3), np.int32), (cover * _F(256)).astype(np.int32))
