"""The twelve kinds of anomaly, in appearance, in motion, or in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from vad_models.data.synth.campus.actors import Actor, Parts, Route, gait, pedestrian, speeds_with_stops
from vad_models.data.synth.campus.cameras import Camera
from vad_models.data.synth.campus.exact import Dice, cosine, sine
from vad_models.data.synth.campus.figures import Person, Place, Pose, figure, random_person
from vad_models.data.synth.campus.vehicles import bicycle, car, cart, skateboard, suitcase
from vad_models.data.synth.campus.view import FPS

__all__ = ["KINDS", "stage"]

_PAINTS = ((196, 198, 200), (60, 66, 78), (150, 40, 40), (54, 82, 120), (226, 226, 222), (44, 44, 46))
Draw = Callable[[Place, float], Sequence[Parts]]


def _main_route(camera: Camera, reverse: bool = False) -> Route:
    return Route(next(way for way in camera.walkways if way.one_way), reverse)


def _open_space(camera: Camera, dice: Dice) -> Place:
    """Draw a place well inside the picture, at the edge of the main walkway."""
    route = _main_route(camera)
    first, last = route.visible(camera.view, margin=60)
    side = dice.choice((-1.0, 1.0))
    return route.at(
        dice.uniform(first + 0.2 * (last - first), first + 0.8 * (last - first)),
        side * (route.half_width - 0.4),
    )


def _crossing(
    camera: Camera, dice: Dice, begin: int, frames: int, speed: float, gap: float, reverse: bool = False
) -> list[Place]:
    """Compute places of an actor who enters the picture steadily from frame `begin`, `gap` metres behind the first."""
    route = _main_route(camera, reverse)
    first, last = route.visible(camera.view)
    left = dice.uniform(-0.5, 0.5) * (route.half_width - 0.5)
    start = first - 0.8 - gap
    steps = min(frames - begin, int((last - first + 2.5 + gap) / speed * FPS))
    return [route.at(start + speed * i / FPS, left + 0.1 * sine(i / 70)) for i in range(max(2, steps))]


def _ride(
    camera: Camera, dice: Dice, begin: int, frames: int, kind: str, speed: float, draw: Draw
) -> list[Actor]:
    places = _crossing(camera, dice, begin, frames, speed, gap=1.4 if kind == "car" else -0.2)
    last = begin + len(places)

    def layers(frame: int) -> Sequence[Parts]:
        return draw(places[frame - begin], speed * (frame - begin) / FPS)

    return [Actor(begin, last, lambda frame: places[frame - begin], layers, kind, (begin, last))]


def _bicycle(camera: Camera, dice: Dice, begin: int, frames: int) -> list[Actor]:
    rider, paint = replace(random_person(dice), skirt=False, bag="none"), dice.choice(_PAINTS)

    def draw(place: Place, travelled: float) -> Sequence[Parts]:
        seat = Place(place.x - 0.10 * place.hx, place.y - 0.10 * place.hy, place.hx, place.hy)
        up = 0.92 - 0.53 * rider.height
        body = figure(rider, seat, Pose(phase=travelled / 3.2, lean=0.07, arms="ride", pedal=True, lift=up))
        return [bicycle(place, travelled / 2.14, paint) + body]

    return _ride(camera, dice, begin, frames, "bicycle", dice.uniform(2.6, 3.6), draw)


def _cart(camera: Camera, dice: Dice, begin: int, frames: int) -> list[Actor]:
    porter, paint = (
        replace(random_person(dice), bag="none"),
        dice.choice(((176, 140, 96), (70, 110, 150), (150, 150, 146))),
    )
    speed = dice.uniform(1.2, 1.5)

    def draw(place: Place, travelled: float) -> Sequence[Parts]:
        behind = Place(place.x - 1.2 * place.hx, place.y - 1.2 * place.hy, place.hx, place.hy)
        body = figure(porter, behind, Pose(travelled / 1.35, 0.075, lean=0.03, arms="push"))
        load = cart(place, travelled / 0.8, paint)
        _, _, near = camera.view.project((place.x, place.y, 0.0))
        _, _, far = camera.view.project((behind.x, behind.y, 0.0))
        return [body, load] if near < far else [load, body]

    return _ride(camera, dice, begin, frames, "cart", speed, draw)


def _car(camera: Camera, dice: Dice, begin: int, frames: int) -> list[Actor]:
    paint = dice.choice(_PAINTS)
    return _ride(
        camera, dice, begin, frames, "car", dice.uniform(2.8, 3.8), lambda place, _: car(place, paint)
    )


def _skateboard(camera: Camera, dice: Dice, begin: int, frames: int) -> list[Actor]:
    rider = replace(random_person(dice), skirt=False)

    def draw(place: Place, travelled: float) -> Sequence[Parts]:
        c, s = cosine(0.19), sine(0.19)
        side_on = Place(place.x, place.y, place.hx * c - place.hy * s, place.hy * c + place.hx * s)
        push = (travelled / 5.0) % 1.0
        pose = (
            Pose(push * 3, 0.11, crouch=0.03, lean=0.03, lift=0.10)
            if push < 0.34
            else Pose(0.25, 0.045, crouch=0.09, arms="balance", lift=0.11)
        )
        return [skateboard(place), figure(rider, side_on, pose)]

    return _ride(camera, dice, begin, frames, "skateboard", dice.uniform(2.6, 3.4), draw)


def _object(camera: Camera, dice: Dice, begin: int, frames: int) -> list[Actor]:
    place, paint = (
        _open_space(camera, dice),
        dice.choice(((150, 44, 48), (40, 70, 110), (58, 58, 60), (190, 150, 60))),
    )
    owner = replace(random_person(dice), bag="none")
    route, speed = _main_route(camera), 1.25
    # Its owner walked it here: found by the distance along the route that is nearest to the place.
    marks = [(_gap(route.at(step / 10, 0.0), place), step / 10) for step in range(int(route.length * 10))]
    arrival = min(marks)[1]
    aside = (place.x - route.at(arrival, 0).x) * -place.hy + (place.y - route.at(arrival, 0).y) * place.hx
    left = aside - 0.5 if aside > 0 else aside + 0.5
    walk = gait(
        [route.at(arrival + speed * (f - begin) / FPS, left) for f in range(frames)],
        owner.height,
        dice.uniform(),
    )

    def carried(frame: int) -> list[Parts]:
        body = figure(owner, walk.places[frame], Pose(walk.phases[frame], 0.075))
        if frame >= begin:
            return [body]
        here = walk.places[frame]
        beside = Place(here.x - here.hy * (aside - left), here.y + here.hx * (aside - left), here.hx, here.hy)
        return [suitcase(beside, paint) + body]

    return [
        Actor(0, frames, lambda f: walk.places[f], carried),
        Actor(begin, frames, lambda _: place, lambda _: [suitcase(place, paint)], "object", (begin, frames)),
    ]


def _gap(a: Place, b: Place) -> float:
    return float(np.sqrt((a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y)))


def _running(camera: Camera, dice: Dice, begin: int, frames: int) -> list[Actor]:
    person = replace(random_person(dice), skirt=False)
    places = _crossing(camera, dice, begin, frames, dice.uniform(3.0, 4.0), gap=0.0)
    return [pedestrian(person, gait(places, person.height, dice.uniform()), begin, "running")]


def _chasing(camera: Camera, dice: Dice, begin: int, frames: int) -> list[Actor]:
    speed, actors = dice.uniform(3.2, 4.2), []
    for gap in (0.0, 1.7):
        person = random_person(dice)
        places = _crossing(camera, dice, begin, frames, speed, gap)
        actors.append(pedestrian(person, gait(places, person.height, dice.uniform()), begin, "chasing"))
    return actors


def _wrong_way(camera: Camera, dice: Dice, begin: int, frames: int) -> list[Actor]:
    person = random_person(dice)
    places = _crossing(camera, dice, begin, frames, dice.uniform(1.2, 1.6), gap=0.0, reverse=True)
    return [pedestrian(person, gait(places, person.height, dice.uniform()), begin, "wrong_way")]


def _passer_by(
    camera: Camera, dice: Dice, meet: int, frames: int, halt: tuple[int, int]
) -> tuple[Person, list[Place]]:
    """Build an actor on the main way who is well in the picture at frame `meet` and stands still during `halt`."""
    person, route = random_person(dice), _main_route(camera)
    first, last = route.visible(camera.view, margin=70)
    speeds = [
        0.0 if halt[0] <= f < halt[1] else pace
        for f, pace in enumerate(speeds_with_stops(dice, frames, 1.2, stops=False))
    ]
    travelled = [0.0]
    for speed in speeds[1:]:
        travelled.append(travelled[-1] + speed / FPS)
    start = (
        dice.uniform(first + 0.25 * (last - first), first + 0.7 * (last - first))
        - travelled[min(meet, frames - 1)]
    )
    left = dice.uniform(-0.6, 0.6) * (route.half_width - 0.4)
    return person, [route.at(start + distance, left) for distance in travelled]


def _jumping(camera: Camera, dice: Dice, begin: int, frames: int) -> list[Actor]:
    end = min(frames, begin + dice.integer(44, 64))
    person, places = _passer_by(camera, dice, begin, frames, (begin, end))

    def pose(frame: int, held: Pose) -> Pose:
        if not begin <= frame < end:
            return held
        beat = ((frame - begin) % 13) / 13
        if beat < 0.3:
            return Pose(crouch=0.16 * sine(beat / 0.6), arms="swing")
        air = (beat - 0.3) / 0.7
        return Pose(crouch=0.03, lift=1.7 * air * (1 - air), arms="raised")

    return [
        pedestrian(person, gait(places, person.height, dice.uniform()), 0, "jumping", (begin, end), pose=pose)
    ]


def _falling(camera: Camera, dice: Dice, begin: int, frames: int) -> list[Actor]:
    person, places = _passer_by(camera, dice, begin, frames, (begin + 4, frames))

    def pose(frame: int, held: Pose) -> Pose:
        if frame < begin:
            return held
        down = min(1.0, (frame - begin) / 15)
        flail = 0.02 * sine((frame - begin) / 40) if frame < begin + 60 else 0.0
        return Pose(
            stride=0.04, phase=0.2 + flail, crouch=0.05 + 0.05 * down, arms="push", fall=0.25 * down * down
        )

    return [
        pedestrian(
            person, gait(places, person.height, dice.uniform()), 0, "falling", (begin, frames), pose=pose
        )
    ]


def _loitering(camera: Camera, dice: Dice, begin: int, frames: int) -> list[Actor]:
    """Build an actor who leaves the way and keeps walking in circles."""
    person, places = _passer_by(camera, dice, begin, frames, (frames, frames))
    here = places[begin]
    side, radius, pace = dice.choice((-1.0, 1.0)), dice.uniform(0.7, 1.1), 1.0
    for frame in range(begin, frames):
        turn = (frame - begin) / FPS * pace / (6.2832 * radius)
        forward, left = radius * sine(turn), side * radius * (1 - cosine(turn))
        hx, hy = cosine(turn), side * sine(turn)
        x, y, _ = here.at(forward, left, 0.0)
        places[frame] = Place(x, y, here.hx * hx - here.hy * hy, here.hy * hx + here.hx * hy)
    return [pedestrian(person, gait(places, person.height, dice.uniform()), 0, "loitering", (begin, frames))]


def _fighting(camera: Camera, dice: Dice, begin: int, frames: int) -> list[Actor]:
    middle = _open_space(camera, dice)
    end = min(frames, begin + dice.integer(52, 80))
    rhythm, actors = dice.uniform(1.4, 2.0), []
    for side in (1.0, -1.0):
        person, offset = replace(random_person(dice), bag="none"), dice.uniform()
        places = []
        for frame in range(frames):
            fierce = begin <= frame < end
            lunge = 0.16 * sine(offset + frame * rhythm / FPS) if fierce else 0.0
            swing = 0.25 * sine(frame / 37) if fierce else 0.0
            x, y, _ = middle.at(-side * (0.48 + lunge), swing, 0.0)
            places.append(Place(x, y, side * middle.hx, side * middle.hy))
        steps = gait(places, person.height, offset)

        def pose(frame: int, held: Pose, offset: float = offset) -> Pose:
            if not begin <= frame < end:
                return Pose(phase=frame / 60, stride=0.005)
            beat = offset + frame * rhythm / FPS
            return Pose(phase=beat, stride=0.05, crouch=0.05, lean=0.05 + 0.05 * sine(beat), arms="punch")

        actors.append(pedestrian(person, steps, 0, "fighting", (begin, end), pose=pose))
    return actors


KINDS: dict[str, tuple[str, Callable[[Camera, Dice, int, int], list[Actor]]]] = {
    "bicycle": ("appearance", _bicycle),
    "running": ("motion", _running),
    "car": ("appearance", _car),
    "jumping": ("motion", _jumping),
    "wrong_way": ("motion", _wrong_way),
    "object": ("appearance", _object),
    "loitering": ("motion", _loitering),
    "skateboard": ("both", _skateboard),
    "falling": ("motion", _falling),
    "cart": ("appearance", _cart),
    "chasing": ("motion", _chasing),
    "fighting": ("both", _fighting),
}
"""Nature (appearance, motion or both) and actors of each kind of anomaly."""


def stage(kind: str, camera: Camera, dice: Dice, begin: int, frames: int) -> list[Actor]:
    """Build the actors of an anomaly that begins at frame `begin` of a video of `frames` frames."""
    return KINDS[kind][1](camera, dice, begin, frames)
