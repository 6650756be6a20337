"""Vehicles and luggage, as lists of limbs and faces in world coordinates."""

from __future__ import annotations

import itertools

from vad_models.data.synth.campus.exact import cosine, sine
from vad_models.data.synth.campus.figures import Place
from vad_models.data.synth.campus.raster import Capsule, Colour, Face, Point

__all__ = ["bicycle", "box", "car", "cart", "skateboard", "suitcase"]

_STEEL, _RUBBER, _GLASS = (150, 152, 156), (34, 34, 36), (62, 78, 92)


def _tint(colour: Colour, percent: int) -> Colour:
    return tuple(min(250, tone * percent // 100) for tone in colour)  # type: ignore[return-value]


def _wheel(place: Place, forward: float, left: float, radius: float, turn: float) -> list[Capsule | Face]:
    rim = [
        place.at(forward + radius * cosine(i / 14), left, radius + radius * sine(i / 14)) for i in range(14)
    ]
    parts: list[Capsule | Face] = [
        Capsule(a, b, 0.022, 0.022, _RUBBER, casts=i % 2 == 0)
        for i, (a, b) in enumerate(zip(rim, rim[1:] + rim[:1], strict=True))
    ]
    hub = place.at(forward, left, radius)
    for i in range(3):
        angle = turn + i / 6
        s, c = radius * sine(angle), radius * cosine(angle)
        ends = place.at(forward + c, left, radius + s), place.at(forward - c, left, radius - s)
        parts.append(Capsule(ends[0], ends[1], 0.006, 0.006, _STEEL, casts=False))
    return [*parts, Capsule(hub, hub, 0.03, 0.03, _STEEL, casts=False)]


def bicycle(place: Place, turn: float, colour: Colour) -> list[Capsule | Face]:
    """Build a bicycle without rider; its saddle is 0.95 m above the place. `turn` is the rotation of the wheels."""

    def tube(a: tuple[float, float], b: tuple[float, float], radius: float, tone: Colour) -> Capsule:
        return Capsule(place.at(a[0], 0, a[1]), place.at(b[0], 0, b[1]), radius, radius, tone)

    rear, front, crank, seat, head = (-0.42, 0.34), (0.66, 0.34), (0.06, 0.32), (-0.10, 0.86), (0.48, 0.92)
    bar: list[Capsule | Face] = [
        Capsule(place.at(0.46, 0.26, 1.02), place.at(0.46, -0.26, 1.02), 0.02, 0.02, _RUBBER),
        Capsule(place.at(-0.20, 0, 0.94), place.at(0.04, 0, 0.95), 0.06, 0.03, _RUBBER),
    ]
    frame: list[Capsule | Face] = [
        tube(a, b, 0.024, colour)
        for a, b in ((rear, crank), (rear, seat), (crank, seat), (seat, head), (crank, head), (head, front))
    ]
    return [*_wheel(place, -0.42, 0, 0.34, turn), *_wheel(place, 0.66, 0, 0.34, turn), *frame, *bar]


def box(
    place: Place, size: Point, base: float, colour: Colour, offset: tuple[float, float] = (0.0, 0.0)
) -> list[Capsule | Face]:
    """Build a box of `size` (forward, left, up) metres that stands `base` metres above the ground."""
    f, w, h = size[0] / 2, size[1] / 2, size[2]
    df, dl = offset

    def face(corners: tuple[Point, ...], percent: int) -> Face:
        return Face(tuple(place.at(x + df, y + dl, z + base) for x, y, z in corners), _tint(colour, percent))

    return [
        face(((f, w, 0), (f, -w, 0), (f, -w, h), (f, w, h)), 92),
        face(((-f, w, 0), (-f, -w, 0), (-f, -w, h), (-f, w, h)), 78),
        face(((f, w, 0), (-f, w, 0), (-f, w, h), (f, w, h)), 86),
        face(((f, -w, 0), (-f, -w, 0), (-f, -w, h), (f, -w, h)), 70),
        face(((f, w, h), (f, -w, h), (-f, -w, h), (-f, w, h)), 112),
    ]


def cart(place: Place, turn: float, colour: Colour) -> list[Capsule | Face]:
    """Build a hand cart with boxes that is pushed from behind; its handle is 0.75 m behind the place."""
    parts = box(place, (1.2, 0.75, 0.08), 0.26, (88, 92, 100))
    parts += box(place, (0.55, 0.62, 0.50), 0.34, colour, (0.28, 0.0))
    parts += box(place, (0.50, 0.55, 0.34), 0.34, _tint(colour, 82), (-0.28, 0.03))
    parts += box(place, (0.42, 0.44, 0.30), 0.84, _tint(colour, 112), (0.26, 0.04))
    for side in (0.33, -0.33):
        post = place.at(-0.62, side, 0.3), place.at(-0.72, side, 1.02)
        parts.append(Capsule(post[0], post[1], 0.025, 0.025, _STEEL))
        for forward in (0.45, -0.45):
            hub = place.at(forward, side, 0.13)
            parts.append(Capsule(hub, hub, 0.13, 0.13, _RUBBER))
    parts.append(Capsule(place.at(-0.72, 0.33, 1.02), place.at(-0.72, -0.33, 1.02), 0.025, 0.025, _STEEL))
    return parts


def suitcase(place: Place, colour: Colour) -> list[Capsule | Face]:
    """Build a suitcase that stands upright."""
    parts = box(place, (0.46, 0.28, 0.62), 0.06, colour)
    for side in (0.14, -0.14):
        parts.append(Capsule(place.at(side, 0, 0.68), place.at(side, 0, 0.86), 0.012, 0.012, _STEEL))
    parts.append(Capsule(place.at(0.14, 0, 0.86), place.at(-0.14, 0, 0.86), 0.018, 0.018, _RUBBER))
    return parts


def skateboard(place: Place) -> list[Capsule | Face]:
    """Build a skateboard 0.8 m long; its deck is 0.11 m high."""
    parts = box(place, (0.8, 0.22, 0.03), 0.085, (150, 96, 60))
    for forward in (0.27, -0.27):
        for side in (0.09, -0.09):
            hub = place.at(forward, side, 0.04)
            parts.append(Capsule(hub, hub, 0.045, 0.045, (226, 210, 140)))
    return parts


_CAR_PROFILE = (
    (-2.1, 0.32),
    (-2.12, 0.80),
    (-1.95, 0.96),
    (1.0, 0.95),
    (1.95, 0.78),
    (2.1, 0.60),
    (2.1, 0.32),
)
_CABIN_PROFILE = ((-1.75, 0.95), (-1.35, 1.44), (0.10, 1.47), (0.95, 0.95))


def _extrude(
    place: Place, profile: tuple[tuple[float, float], ...], half: float, top: float, colour: Colour
) -> list[Capsule | Face]:
    """Build the two sides of a profile and the strips between them; `top` is the half width of the upper edge."""
    lowest = min(z for _, z in profile)
    highest = max(z for _, z in profile)

    def side(z: float) -> float:
        return half + (top - half) * (z - lowest) / (highest - lowest)

    parts: list[Capsule | Face] = []
    for sign, percent in ((1, 92), (-1, 84)):
        parts.append(Face(tuple(place.at(f, sign * side(z), z) for f, z in profile), _tint(colour, percent)))
    for (f0, z0), (f1, z1) in itertools.pairwise(profile):
        rise = abs(z1 - z0) / (abs(z1 - z0) + abs(f1 - f0) + 1e-6)
        corners = (
            place.at(f0, side(z0), z0),
            place.at(f0, -side(z0), z0),
            place.at(f1, -side(z1), z1),
            place.at(f1, side(z1), z1),
        )
        parts.append(Face(corners, _tint(colour, int(116 - 34 * rise))))
    return parts


def car(place: Place, colour: Colour) -> tuple[list[Capsule | Face], list[Capsule | Face]]:
    """Build a saloon car 4.2 m long: the lower body with its wheels, and the cabin, to be painted in this order."""
    body = _extrude(place, _CAR_PROFILE, 0.86, 0.84, colour)
    for forward in (1.28, -1.30):
        for side in (0.80, -0.80):
            for radius, shift, tone in ((0.33, 0.03, _RUBBER), (0.18, 0.07, (116, 118, 122))):
                left = side + (shift if side > 0 else -shift)
                corners = tuple(
                    place.at(forward + radius * cosine(i / 12), left, 0.33 + radius * sine(i / 12))
                    for i in range(12)
                )
                body.append(Face(corners, tone))
    for side in (0.62, -0.62):
        body.append(
            Capsule(
                place.at(2.08, side + 0.1, 0.66),
                place.at(2.08, side - 0.1, 0.66),
                0.07,
                0.07,
                (244, 240, 220),
                casts=False,
            )
        )
        body.append(
            Capsule(
                place.at(-2.1, side + 0.1, 0.78),
                place.at(-2.1, side - 0.1, 0.78),
                0.06,
                0.06,
                (170, 34, 30),
                casts=False,
            )
        )
    cabin = _extrude(place, _CABIN_PROFILE, 0.82, 0.62, colour)
    glass: list[Capsule | Face] = []
    for sign in (1, -1):
        for pane in (
            ((-1.52, 1.0), (-1.25, 1.37), (-0.62, 1.40), (-0.62, 1.0)),
            ((-0.54, 1.0), (-0.54, 1.40), (0.05, 1.40), (0.70, 1.0)),
        ):
            glass.append(
                Face(
                    tuple(place.at(f, sign * (0.85 - 0.4 * (z - 0.95)), z) for f, z in pane),
                    _GLASS,
                    casts=False,
                )
            )
    for (f0, z0), (f1, z1) in (((-1.72, 0.99), (-1.42, 1.40)), ((0.17, 1.41), (0.90, 0.99))):
        corners = (
            place.at(f0, 0.70, z0),
            place.at(f0, -0.70, z0),
            place.at(f1, -0.62, z1),
            place.at(f1, 0.62, z1),
        )
        glass.append(Face(corners, (84, 102, 116), casts=False))
    return body, cabin + glass
