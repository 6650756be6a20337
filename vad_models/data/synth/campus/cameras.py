"""The thirteen cameras of the campus, each with its own place, buildings, trees, walkways, light and lens."""

from __future__ import annotations

from dataclasses import dataclass

from vad_models.data.synth.campus.view import View

__all__ = ["CAMERAS", "Building", "Camera", "Tree", "Walkway"]

Spot = tuple[float, float]


@dataclass(frozen=True)
class Walkway:
    """A way from its first point to its last. If it is `one_way`, everybody walks in this direction."""

    points: tuple[Spot, ...]
    width: float
    material: str
    one_way: bool = False
    lanes: bool = False  # a carriageway with a dashed middle line


@dataclass(frozen=True)
class Building:
    """A chain of vertical walls seen from the camera, left to right. `style`: brick | plaster | concrete | glass."""

    corners: tuple[Spot, ...]
    height: float
    style: str
    colour: tuple[int, int, int]
    storey: float = 3.4
    bay: float = 2.6


@dataclass(frozen=True)
class Tree:
    """A tree, or a shrub if `trunk` is small. Lengths are in metres."""

    x: float
    y: float
    trunk: float
    crown: float
    tone: tuple[int, int, int] = (70, 96, 44)


@dataclass(frozen=True)
class Camera:
    """A camera and everything that stands in front of it.

    `lean` is where shadows fall, in metres east and north per metre of height; (0, 0) is an overcast sky. `cast` is the
    gain of red, green and blue in 1/256. `noise` is the amplitude of the sensor noise in grey levels.
    """

    name: str
    view: View
    ground: str
    walkways: tuple[Walkway, ...]
    buildings: tuple[Building, ...] = ()
    trees: tuple[Tree, ...] = ()
    lamps: tuple[Spot, ...] = ()
    benches: tuple[
        tuple[float, float, float, float], ...
    ] = ()  # x, y and the unit vector that a sitter would face
    lean: Spot = (0.0, 0.0)
    cast: tuple[int, int, int] = (256, 256, 256)
    brightness: float = 1.0
    vignette: float = 0.25
    noise: int = 4
    crowd: tuple[int, int] = (5, 14)  # walkers in a video
    tile_turn: Spot = (1.0, 0.0)  # unit vector along which paving is laid

    @property
    def sunny(self) -> bool:
        """Whether bodies throw a hard shadow."""
        return self.lean != (0.0, 0.0)


def _hedge(x0: float, y0: float, x1: float, y1: float, size: float = 0.6) -> tuple[Tree, ...]:
    steps = max(2, int((abs(x1 - x0) + abs(y1 - y0)) / (1.2 * size)))
    return tuple(
        Tree(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps, 0.0, size, (58, 84, 42))
        for i in range(steps + 1)
    )


_BRICK, _SAND, _GREY = (150, 92, 74), (196, 178, 146), (158, 158, 154)
_CREAM, _TEAL = (208, 200, 182), (112, 136, 144)

# fmt: off
CAMERAS: tuple[Camera, ...] = (
    Camera(
        "library square", View(5.6, 0.33, 400), "slabs",
        (
            Walkway(((-20, 12.5), (20, 13.5)), 6.0, "brick", one_way=True),
            Walkway(((4.5, 3), (3.0, 14), (-1.5, 25.5)), 4.0, "slabs"),
        ),
        (Building(((-30, 27), (14, 27), (17, 38)), 14, "brick", _BRICK),
         Building(((19, 36), (44, 33)), 11, "plaster", _CREAM)),
        (Tree(-11, 21, 2.6, 2.6), Tree(8.5, 20, 2.4, 2.2, (84, 104, 48)), Tree(14.5, 23, 2.6, 2.5),
         Tree(-17, 23, 2.4, 2.4, (78, 98, 42)),
         *_hedge(-13, 24.6, -5, 24.6)),
        lamps=((-5.8, 17.5), (7.5, 16.8)), benches=((-8.0, 18.2, 0.0, -1.0), (-4.0, 18.4, 0.0, -1.0)),
        lean=(0.85, 0.35), crowd=(6, 15),
    ),
    Camera(
        "dormitory road", View(6.4, 0.36, 390), "grass",
        (
            Walkway(((-9, 2), (-1.5, 24), (9, 72)), 5.0, "asphalt", one_way=True),
            Walkway(((12, 4), (7.5, 22), (12, 72)), 3.0, "slabs"),
            Walkway(((-18, 18.5), (18, 19.5)), 2.6, "concrete"),
        ),
        (Building(((-34, 18), (-11.5, 33), (-9, 52)), 13, "plaster", _SAND),
         Building(((13, 48), (15, 33), (36, 21)), 15, "brick", (134, 88, 76)),
         Building(((-60, 70), (70, 74)), 14, "concrete", _GREY)),
        (Tree(-8.5, 20.8, 2.8, 2.4), Tree(4.2, 16, 2.8, 2.0, (82, 108, 50)), Tree(5.2, 26, 2.8, 2.3),
         Tree(13.5, 26, 2.6, 2.4),
         *_hedge(10.8, 13, 9.8, 17.5)),
        lamps=((2.4, 22.5), (5.4, 34)), lean=(-0.9, 0.25), cast=(264, 256, 240),
        noise=5, tile_turn=(0.95, 0.31225),
    ),
    Camera(
        "canteen gate", View(4.8, 0.30, 420), "concrete",
        (
            Walkway(((20, 10.2), (-20, 11.2)), 4.4, "slabs", one_way=True),
            Walkway(((-6, 3), (-2.5, 12), (6.5, 21.3)), 3.6, "concrete"),
        ),
        (Building(((-28, 17), (-9.0, 20.5), (-7.5, 27)), 9, "concrete", _GREY),
         Building(((-7.4, 24), (26, 22.0)), 12, "glass", _TEAL, 3.6, 1.8)),
        (Tree(-12.5, 15.2, 2.4, 2.0), Tree(10.2, 16.4, 2.3, 1.9, (88, 104, 52)), Tree(14.2, 18, 2.3, 2.0),
         *_hedge(7.5, 19.6, 15.5, 19.2, 0.5)),
        lamps=((-4.8, 15.2),), benches=((6.6, 15.6, 0.0, -1.0), (1.0, 16.6, 0.0, -1.0)),
        cast=(248, 254, 266), brightness=1.06, vignette=0.30, noise=6, crowd=(6, 15),
    ),
    Camera(
        "garden path", View(5.0, 0.34, 410), "grass",
        (
            Walkway(((-14, 6), (-3, 11.5), (4, 18), (14, 26)), 3.2, "brick", one_way=True),
            Walkway(((14, 7), (4, 11.5), (-6, 20), (-13, 30)), 2.6, "gravel"),
        ),
        (Building(((-40, 36), (40, 38)), 12, "plaster", _CREAM),),
        (Tree(-9, 15.5, 2.4, 2.3), Tree(9.5, 15.5, 2.4, 2.1, (92, 112, 50)), Tree(0.5, 24, 2.6, 2.4),
         Tree(-14, 24, 2.6, 2.6), Tree(14, 32, 2.8, 2.8),
         Tree(5, 31, 2.6, 2.6, (80, 100, 40)), Tree(0.2, 9.4, 0.0, 0.7), *_hedge(-6, 27.5, -2, 26)),
        lamps=((-2.8, 16.4),), benches=((6.0, 16.9, -0.6, 0.8),), lean=(0.5, -0.55), cast=(262, 258, 240),
        noise=4, tile_turn=(0.8, 0.6),
    ),
    Camera(
        "lecture hall", View(7.0, 0.42, 400), "concrete",
        (
            Walkway(((-16, 15), (16, 14)), 5.4, "concrete", one_way=True),
            Walkway(((-7, 5), (-7.6, 24)), 3.2, "slabs"),
            Walkway(((8, 24), (7, 5)), 3.2, "slabs"),
        ),
        (Building(((-32, 25), (32, 25)), 12, "glass", (120, 130, 138), 3.8, 2.0),),
        (Tree(0.2, 20, 2.2, 2.2), Tree(-13.5, 20.5, 2.2, 2.0), Tree(13, 20.5, 2.2, 2.1, (90, 110, 54))),
        lamps=((-3.6, 18.2), (4.0, 18.2)), benches=((-2.4, 19.2, 0.0, -1.0), (2.8, 19.2, 0.0, -1.0)),
        lean=(-0.45, 0.75), noise=3, crowd=(7, 16),
    ),
    Camera(
        "back lane", View(4.6, 0.27, 360), "asphalt",
        (
            Walkway(((-1.6, 3), (-0.6, 40)), 3.0, "asphalt", one_way=True),
            Walkway(((3.6, 40), (4.2, 3)), 2.2, "slabs", one_way=True),
        ),
        (Building(((-8.5, 4), (-4.4, 44)), 10, "brick", (142, 96, 82)),
         Building(((-6, 48), (10, 48)), 13, "concrete", _GREY),
         Building(((7.0, 46), (9.0, 4)), 9, "plaster", _SAND)),
        (Tree(5.9, 19, 2.2, 1.4), Tree(5.6, 28, 2.4, 1.6, (84, 104, 50))), lamps=((-3.2, 15), (-3.0, 30)),
        cast=(252, 256, 262), brightness=0.92, vignette=0.38, noise=7, crowd=(4, 11),
    ),
    Camera(
        "sports field", View(6.0, 0.32, 400), "grass",
        (
            Walkway(((18, 11), (-18, 14)), 4.8, "asphalt", one_way=True),
            Walkway(((9, 4), (6.2, 13), (14, 52)), 2.6, "gravel"),
        ),
        (Building(((-44, 46), (-6, 52), (34, 47)), 8, "concrete", (176, 172, 166)),),
        (Tree(-15, 30, 2.8, 3.0), Tree(-7, 36, 2.8, 3.0, (88, 106, 46)), Tree(16, 31, 2.8, 2.9),
         Tree(3, 38, 2.6, 2.8), Tree(-10, 20, 2.2, 1.9),
         *_hedge(-16, 17.5, -3, 16.8, 0.5)),
        lamps=((-2.2, 17.2), (12.4, 15)), lean=(1.1, 0.1), cast=(268, 256, 232), noise=4,
    ),
    Camera(
        "mall", View(5.4, 0.31, 380), "slabs",
        (
            Walkway(((-4.4, 3), (-2.6, 38)), 3.8, "brick", one_way=True),
            Walkway(((4.0, 38), (5.2, 3)), 3.8, "brick", one_way=True),
            Walkway(((-18, 21), (18, 21)), 2.4, "slabs"),
        ),
        (Building(((-30, 10), (-10.5, 27), (-9.5, 44)), 12, "plaster", (198, 164, 138)),
         Building(((-9, 47), (12, 47)), 16, "brick", (146, 100, 84)),
         Building(((11, 44), (12, 27), (30, 12)), 12, "glass", _TEAL, 3.6, 2.2)),
        (Tree(0.2, 12.5, 2.5, 1.7), Tree(0.5, 17.5, 2.5, 1.8, (88, 108, 48)), Tree(0.7, 26, 2.5, 1.9),
         Tree(0.8, 33, 2.5, 2.0)),
        lamps=((-6.9, 16), (8.4, 16)), benches=((-7.2, 12.0, 1.0, 0.0),), cast=(250, 256, 258),
        noise=5, crowd=(6, 15),
    ),
    Camera(
        "evening gate", View(5.2, 0.33, 400), "asphalt",
        (
            Walkway(((-20, 11), (20, 10)), 5.2, "asphalt", one_way=True, lanes=True),
            Walkway(((-20, 16.2), (20, 15.4)), 2.8, "slabs"),
        ),
        (Building(((-36, 22), (-5, 23.0)), 9, "brick", (128, 84, 76)),
         Building(((3.5, 23.2), (34, 22)), 9, "brick", (128, 84, 76)),
         Building(((-12, 44), (12, 44)), 18, "concrete", _GREY)),
        (Tree(-10, 19.5, 2.4, 2.1), Tree(11, 19.2, 2.4, 2.0), Tree(-16.5, 19.8, 2.4, 2.1, (84, 96, 44))),
        lamps=((-4.4, 18.0), (4.4, 18.0)), lean=(-1.7, 0.5), cast=(284, 246, 206),
        brightness=0.84, vignette=0.42, noise=8,
    ),
    Camera(
        "courtyard from above", View(9.0, 0.62, 400), "slabs",
        (
            Walkway(((-15, 8), (15, 15)), 3.4, "concrete", one_way=True),
            Walkway(((10, 4), (-9, 22)), 3.0, "brick"),
        ),
        (Building(((-26, 20.5), (26, 20.5)), 12, "plaster", _CREAM),),
        (Tree(-6.5, 15.5, 1.6, 1.9), Tree(7.4, 8.4, 1.6, 1.8, (90, 108, 52)), Tree(9.5, 17.5, 1.6, 1.8),
         *_hedge(-12, 18.6, -8, 18.6)),
        lamps=((1.2, 17.2),), benches=((-2.6, 16.4, 0.0, -1.0), (4.4, 17.4, 0.0, -1.0)),
        lean=(0.6, 0.5), noise=3, tile_turn=(0.70710678, 0.70710678),
    ),
    Camera(
        "car park edge", View(6.6, 0.36, 380), "asphalt",
        (
            Walkway(((-18, 9.5), (18, 12.5)), 3.6, "concrete", one_way=True),
            Walkway(((-6, 4), (-10.2, 42)), 2.8, "slabs"),
        ),
        (Building(((-20, 40), (36, 34)), 14, "concrete", (168, 164, 158)),),
        (Tree(13, 24, 2.4, 2.3), Tree(4, 29, 2.6, 2.4, (82, 102, 44)), Tree(-4.5, 25, 2.4, 2.2),
         *_hedge(-3, 17.6, 12, 19.2, 0.5)),
        lamps=((2.0, 16.2), (-6.4, 22)), cast=(252, 258, 256),
        brightness=0.95, vignette=0.3, noise=6, crowd=(5, 12),
    ),
    Camera(
        "riverside", View(5.2, 0.32, 410), "grass",
        (
            Walkway(((16, 8.5), (2, 12), (-7, 20), (-17, 66)), 3.6, "concrete", one_way=True),
            Walkway(((-12, 7.5), (2, 12), (12, 21)), 2.6, "gravel"),
        ),
        (Building(((4, 46), (40, 40)), 9, "brick", (150, 104, 88)),
         Building(((-70, 64), (30, 68)), 15, "plaster", _CREAM)),
        (Tree(-13, 17, 2.6, 2.5, (96, 104, 44)), Tree(4.0, 20.5, 2.6, 2.2),
         Tree(12.5, 28, 2.8, 2.7, (110, 102, 42)), Tree(-3.5, 30, 2.6, 2.6), Tree(-20, 30, 3, 3),
         Tree(2.8, 34, 2.8, 2.9, (84, 104, 46))),
        lamps=((-2.0, 19.5),), benches=((-9.6, 14.2, 0.8, -0.6),), lean=(-0.7, -0.35),
        cast=(266, 256, 236), noise=5,
    ),
    Camera(
        "north stairs", View(6.2, 0.38, 420), "concrete",
        (
            Walkway(((15, 17.5), (3, 12.5), (-14, 9)), 4.0, "slabs", one_way=True),
            Walkway(((3.6, 4), (4.8, 26)), 3.4, "brick"),
        ),
        (Building(((-28, 22.5), (-0.5, 22.5), (0.5, 25), (9, 25), (10, 21), (32, 18)), 13, "concrete",
                  (178, 172, 162)),),
        (Tree(-8.5, 17.5, 2.2, 2.0), Tree(-13.5, 18.5, 2.2, 2.1, (86, 104, 50)), Tree(10.6, 13.0, 2.2, 1.8)),
        lamps=((-3.4, 17.2),), benches=((-6.0, 19.6, 0.0, -1.0),), lean=(0.35, 0.9), cast=(258, 256, 250),
        vignette=0.3, noise=5,
        tile_turn=(0.96, 0.28),
    ),
)
# fmt: on
