"""The actors of each video: normal passers-by, and anomalies in test videos."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vad_models.data.synth.campus.actors import Actor, Route, gait, pedestrian, speeds_with_stops, standing
from vad_models.data.synth.campus.anomalies import KINDS, stage
from vad_models.data.synth.campus.cameras import CAMERAS, Camera
from vad_models.data.synth.campus.exact import Dice
from vad_models.data.synth.campus.figures import Place, random_person
from vad_models.data.synth.campus.view import FPS

__all__ = ["TEST_VIDEOS", "TRAIN_VIDEOS", "Script", "Video", "script", "videos_of"]

TRAIN_VIDEOS, TEST_VIDEOS = 6, 5
_TRAIN_FRAMES, _TEST_FRAMES = (150, 181), (108, 130)
_ANOMALIES = (2, 1, 0, 2, 1)  # in each test video of a camera


@dataclass(frozen=True)
class Video:
    """One video of the dataset. `camera` counts from 1, `number` from 1 within its split (train or test)."""

    seed: int
    camera: int
    split: str
    number: int

    @property
    def name(self) -> str:
        """Name of the video, CC_VVV in training and CC_VVVV in testing, as in ShanghaiTech."""
        return f"{self.camera:02d}_{self.number:0{3 if self.split == 'train' else 4}d}"

    def dice(self, purpose: int) -> Dice:
        """Create the random numbers of this video for one purpose."""
        return Dice(self.seed, self.camera, 1 if self.split == "train" else 2, self.number, purpose)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.dice(0).integer(*(_TRAIN_FRAMES if self.split == "train" else _TEST_FRAMES))

    @property
    def anomalies(self) -> tuple[str, ...]:
        """Kinds of anomaly in this video, in the order of their beginnings."""
        if self.split == "train":
            return ()
        before = sum(_ANOMALIES[: self.number - 1])
        return _dealt(self.seed, self.camera)[before : before + _ANOMALIES[self.number - 1]]


def _dealt(seed: int, camera: int) -> tuple[str, ...]:
    """Draw half of the kinds, with each nature in proportion; the other camera of a pair gets the other half."""
    pair, half = divmod(camera - 1, 2)
    dice, hand = Dice(seed, 0, pair), []
    for nature in ("appearance", "motion", "both"):
        kinds = dice.shuffled([kind for kind, (its_nature, _) in KINDS.items() if its_nature == nature])
        hand += kinds[half::2]
    return tuple(Dice(seed, camera, 0, 1).shuffled(hand))


@dataclass(frozen=True)
class Script:
    """The actors of a video, and its weather: gusts of wind (0..1) and changes of light, in 1/4096."""

    frames: int
    actors: tuple[Actor, ...]
    gust: float
    swing: int


def videos_of(seed: int, camera: int) -> list[Video]:
    """List all videos of a camera."""
    counts = (("train", TRAIN_VIDEOS), ("test", TEST_VIDEOS))
    return [Video(seed, camera, split, number) for split, count in counts for number in range(1, count + 1)]


def _walkers(camera: Camera, dice: Dice, frames: int) -> list[Actor]:
    """Build passers-by, alone or in groups of two to four who walk abreast."""
    actors: list[Actor] = []
    left_to_place = dice.integer(*camera.crowd)
    while left_to_place > 0:
        way = dice.choice((camera.walkways[0], camera.walkways[0], *camera.walkways))
        turned = not way.one_way and dice.chance(0.5)
        route = Route(way, turned)
        first, last = route.visible(camera.view)
        pace = dice.uniform(0.85, 1.65)
        speeds = speeds_with_stops(dice, frames, pace, stops=True)
        back = dice.integer(0, frames) if not way.one_way and dice.chance(0.12) else frames
        start = dice.uniform(first - pace * frames / FPS, last)
        room = route.half_width - 0.35
        centre = dice.uniform(-room, room)
        size = min(left_to_place, dice.choice((1, 1, 1, 1, 2, 2, 3, 4)))
        for member in range(size):
            aside = max(-room, min(room, centre + 0.62 * (member - (size - 1) / 2)))
            lag = 0.35 * (member % 2) + dice.uniform(0.0, 0.25) + (0.8 if size > 2 and member >= 2 else 0.0)
            actors.append(_walker(route, dice, start - lag, aside, speeds, back))
        left_to_place -= size
    return actors


def _walker(route: Route, dice: Dice, start: float, aside: float, speeds: list[float], back: int) -> Actor:
    """Build an actor on a route who turns round at frame `back` within half a second."""
    person, travelled, drift = random_person(dice), start, 0.0
    places: list[Place] = []
    for frame, speed in enumerate(speeds):
        about = max(-1.0, min(1.0, 1.0 - 2.0 * (frame - back) / 12)) if frame > back else 1.0
        travelled += speed * about / FPS
        if frame % 24 == 0:
            drift = dice.uniform(-0.004, 0.004)
        aside += drift
        place = route.at(travelled, aside)
        places.append(replace(place, hx=-place.hx, hy=-place.hy) if about < 0 else place)
    arms = "phone" if dice.chance(0.12) else "swing"
    return pedestrian(person, gait(places, person.height, dice.uniform()), arms=arms)


def _talkers(camera: Camera, dice: Dice, frames: int) -> list[Actor]:
    """Build two or three people who stand together next to a walkway."""
    route = Route(dice.choice(camera.walkways))
    first, last = route.visible(camera.view, margin=30)
    spot = route.at(dice.uniform(first, last), dice.choice((-1.0, 1.0)) * (route.half_width + 0.3))
    angles = ((1.0, 0.0), (-0.8, 0.6), (-0.2, -0.98))[: dice.choice((2, 2, 3))]
    return [
        standing(random_person(dice), Place(spot.x + 0.5 * x, spot.y + 0.5 * y, -x, -y), frames, dice)
        for x, y in angles
    ]


def _in_the_way(actor: Actor, car: Actor) -> bool:
    """Check whether an actor is ever where the car is, because nobody walks through it."""
    for frame in range(max(actor.first, car.first), min(actor.last, car.last)):
        here, there = actor.place(frame), car.place(frame)
        dx, dy = here.x - there.x, here.y - there.y
        if abs(dx * there.hx + dy * there.hy) < 2.6 and abs(dy * there.hx - dx * there.hy) < 1.2:
            return True
    return False


def script(video: Video) -> Script:
    """Draw the actors of a video. Normal behaviour has the same distribution in training and test videos."""
    camera, dice, frames = CAMERAS[video.camera - 1], video.dice(1), video.frames
    actors = _walkers(camera, dice, frames)
    if dice.chance(0.45):
        actors += _talkers(camera, dice, frames)
    kinds, extra = video.anomalies, video.dice(2)
    for i, kind in enumerate(kinds):
        begin = int(frames * (extra.uniform(0.36, 0.52) if i == 0 else extra.uniform(0.60, 0.74)))
        played = stage(kind, camera, extra, begin, frames)
        if kind == "car":
            actors = [actor for actor in actors if not _in_the_way(actor, played[0])]
        actors += played
    return Script(frames, tuple(actors), dice.uniform(0.2, 1.0), dice.integer(20, 90))
