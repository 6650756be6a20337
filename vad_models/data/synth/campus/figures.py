"""People: proportions, clothes and poses, as lists of limbs in world coordinates."""

from __future__ import annotations

from dataclasses import dataclass

from vad_models.data.synth.campus.exact import Dice, cosine, sine
from vad_models.data.synth.campus.raster import Capsule, Colour, Face, Point

__all__ = ["Person", "Place", "Pose", "figure", "random_person"]

_SKIN = ((226, 188, 160), (208, 164, 132), (174, 126, 94), (120, 84, 62), (236, 202, 178))
_HAIR = ((32, 28, 26), (54, 40, 30), (88, 62, 40), (22, 20, 22), (120, 98, 70))
_TOPS = (
    (188, 60, 56), (58, 84, 140), (202, 200, 194), (52, 54, 60), (94, 124, 92), (206, 178, 96), (130, 128, 132),
    (214, 150, 160), (78, 64, 96), (160, 190, 208), (108, 76, 56), (36, 62, 66), (214, 212, 206), (70, 74, 80),
)  # fmt: skip
_BOTTOMS = (
    (46, 56, 84),
    (38, 38, 42),
    (96, 90, 82),
    (70, 84, 112),
    (150, 138, 116),
    (58, 50, 46),
    (28, 30, 38),
)
_SHOES = ((40, 38, 38), (222, 220, 216), (92, 70, 56), (150, 60, 56))


@dataclass(frozen=True)
class Person:
    """Appearance of a person. `height` is in metres; `girth` scales the width of trunk and limbs."""

    height: float
    girth: float
    skin: Colour
    hair: Colour
    top: Colour
    bottom: Colour
    shoes: Colour
    skirt: bool
    long_hair: bool
    bag: str  # none | backpack | shoulder | hand
    bag_colour: Colour


@dataclass(frozen=True)
class Place:
    """Position of a body on the ground, in metres, and its direction, a unit vector."""

    x: float
    y: float
    hx: float
    hy: float

    def at(self, forward: float, left: float, up: float) -> Point:
        """Compute the world coordinates of a point given in the axes of the body."""
        return (self.x + forward * self.hx - left * self.hy, self.y + forward * self.hy + left * self.hx, up)


@dataclass(frozen=True)
class Pose:
    """Pose of a body, with angles in turns."""

    phase: float = 0.0
    stride: float = 0.0  # swing of the thighs
    flex: float = 0.09  # most bend of a swinging knee
    lean: float = 0.0  # trunk forward
    arms: str = "swing"  # swing | run | phone | push | ride | punch | raised | balance
    crouch: float = 0.0  # bend of both knees
    lift: float = 0.0  # metres above the ground
    fall: float = 0.0  # rotation of the whole body, 0.25 = lying on the face
    pedal: bool = False


def random_person(dice: Dice) -> Person:
    """Draw a person of the campus."""
    woman = dice.chance(0.5)
    return Person(
        height=dice.uniform(1.56, 1.74) if woman else dice.uniform(1.66, 1.90),
        girth=dice.uniform(0.9, 1.15),
        skin=dice.choice(_SKIN),
        hair=dice.choice(_HAIR),
        top=_vary(dice.choice(_TOPS), dice),
        bottom=_vary(dice.choice(_BOTTOMS), dice),
        shoes=dice.choice(_SHOES),
        skirt=woman and dice.chance(0.3),
        long_hair=woman and dice.chance(0.7),
        bag=dice.choice(("none", "none", "backpack", "backpack", "shoulder", "hand")),
        bag_colour=_vary(dice.choice(_TOPS), dice),
    )


def _vary(colour: Colour, dice: Dice) -> Colour:
    shift = dice.integer(-16, 17)
    return tuple(max(16, min(244, tone + shift + dice.integer(-6, 7))) for tone in colour)  # type: ignore[return-value]


def _turn(angle: float) -> tuple[float, float]:
    return sine(angle), cosine(angle)


def _leg(hip: float, thigh: float, bend: float, length: float) -> tuple[tuple[float, float], ...]:
    """Compute (forward, up) of hip, knee, ankle and toe.

    The thigh swings forward by `thigh`, and the knee bends back by `bend`.
    """
    s, c = _turn(thigh)
    knee = (length * s, hip - length * c)
    s, c = _turn(thigh - bend)
    ankle = (knee[0] + length * s, knee[1] - length * c)
    s, c = _turn(0.5 * (thigh - bend))
    toe = (ankle[0] + 0.28 * length * c, ankle[1] + 0.28 * length * s - 0.03)
    return (0.0, hip), knee, ankle, toe


def _arm_angles(arms: str, swing: float, phase: float, side: int) -> tuple[float, float]:
    """Compute the angle of the upper arm and the further bend of the elbow, in turns forward of hanging down."""
    if arms == "run":
        return -1.4 * swing, 0.24
    if arms == "phone" and side > 0:
        return 0.07, 0.33
    if arms == "push":
        return 0.16, 0.06
    if arms == "ride":
        return 0.15, 0.04
    if arms == "punch":
        reach = max(0.0, sine(phase * 2 + (0.5 if side > 0 else 0.0)))
        return 0.10 + 0.15 * reach, 0.26 * (1 - reach)
    if arms == "raised":
        return 0.40, 0.02
    if arms == "balance":
        return 0.10 * side + 0.02 * sine(phase), 0.05
    return -0.75 * swing, 0.035 + max(0.0, -0.25 * swing)


def figure(person: Person, place: Place, pose: Pose) -> list[Capsule | Face]:
    """Build the limbs of a person at a place in a pose."""
    h, g = person.height, person.girth
    length, hip = 0.245 * h, 0.53 * h
    legs = []
    for side in (1, -1):
        phase = pose.phase + (0.0 if side > 0 else 0.5)
        if pose.pedal:
            s, c = _turn(phase)
            thigh, bend = 0.17 + 0.055 * s, 0.16 + 0.055 * s + 0.03 * c
        else:
            thigh = pose.stride * sine(phase) + 0.5 * pose.crouch
            bend = pose.flex * max(0.0, cosine(phase)) * min(1.0, pose.stride * 16) + 0.012 + pose.crouch
        legs.append(_leg(hip, thigh, bend, length))
    ground = pose.lift + 0.045 * h / 1.75 - (0.0 if pose.pedal else min(leg[2][1] for leg in legs))
    s_lean, c_lean = _turn(pose.lean)
    s_fall, c_fall = _turn(pose.fall)

    def at(forward: float, left: float, up: float) -> Point:
        up += ground
        return place.at(forward * c_fall + up * s_fall, left, max(0.08, up * c_fall - forward * s_fall))

    def trunk(forward: float, left: float, up: float) -> Point:
        rise = up - hip
        return at(forward * c_lean + rise * s_lean, left, hip + rise * c_lean - forward * s_lean)

    parts: list[Capsule | Face] = []

    def limb(a: Point, b: Point, radii: tuple[float, float], colour: Colour, casts: bool = True) -> None:
        parts.append(Capsule(a, b, radii[0] * h * g, radii[1] * h * g, colour, casts))

    shin = person.skin if person.skirt else person.bottom
    for side, (top, knee, ankle, toe) in zip((1, -1), legs, strict=True):
        out = side * 0.045 * h
        limb(at(top[0], out, top[1]), at(knee[0], out, knee[1]), (0.052, 0.036), person.bottom)
        limb(at(knee[0], out, knee[1]), at(ankle[0], out, ankle[1]), (0.036, 0.024), shin)
        limb(at(ankle[0], out, ankle[1]), at(toe[0], out * 1.15, toe[1]), (0.024, 0.019), person.shoes, False)
    if person.skirt:
        limb(at(0, 0, hip), at(0, 0, hip - 0.17 * h), (0.07, 0.095), person.bottom)
    for side in (1, -1):
        waist, chest = trunk(0, side * 0.026 * h, hip), trunk(0.004 * h, side * 0.050 * h, 0.745 * h)
        limb(waist, chest, (0.060, 0.058), person.top)
        limb(chest, trunk(0, side * 0.052 * h, 0.775 * h), (0.058, 0.044), person.top, False)
        phase = pose.phase + (0.0 if side > 0 else 0.5)
        upper, bend = _arm_angles(pose.arms, pose.stride * sine(phase), pose.phase, side)
        s, c = _turn(upper)
        out, reach = side * 0.098 * h * g, 0.165 * h
        elbow = (reach * s, 0.785 * h - reach * c)
        s, c = _turn(upper + bend)
        hand = (elbow[0] + 0.15 * h * s, elbow[1] - 0.15 * h * c)
        inward = 0.7 if pose.arms in ("phone", "push", "ride", "punch") else 1.18
        limb(trunk(0, out, 0.785 * h), trunk(elbow[0], out * 1.18, elbow[1]), (0.034, 0.027), person.top)
        limb(
            trunk(elbow[0], out * 1.18, elbow[1]),
            trunk(hand[0], out * inward, hand[1]),
            (0.024, 0.019),
            person.skin,
        )
        if person.bag == "hand" and side > 0 and pose.arms == "swing":
            grip = trunk(hand[0], out * 1.2, hand[1] - 0.06 * h)
            limb(grip, trunk(hand[0], out * 1.2, hand[1] - 0.17 * h), (0.04, 0.055), person.bag_colour)
    limb(trunk(0, 0, 0.60 * h), trunk(0.004 * h, 0, 0.775 * h), (0.064, 0.056), person.top, False)
    limb(trunk(0, 0, 0.80 * h), trunk(0.015 * h, 0, 0.88 * h), (0.034, 0.029), person.skin, False)
    limb(trunk(0.018 * h, 0, 0.895 * h), trunk(0.014 * h, 0, 0.932 * h), (0.043, 0.051), person.skin)
    limb(trunk(-0.016 * h, 0, 0.92 * h), trunk(-0.006 * h, 0, 0.948 * h), (0.051, 0.054), person.hair, False)
    limb(trunk(0.0, 0, 0.957 * h), trunk(0.026 * h, 0, 0.960 * h), (0.046, 0.036), person.hair, False)
    if person.long_hair:
        limb(trunk(-0.03 * h, 0, 0.92 * h), trunk(-0.05 * h, 0, 0.80 * h), (0.048, 0.040), person.hair, False)
    if person.bag == "backpack":
        limb(trunk(-0.10 * h, 0, 0.60 * h), trunk(-0.09 * h, 0, 0.74 * h), (0.075, 0.065), person.bag_colour)
    elif person.bag == "shoulder":
        limb(
            trunk(-0.02 * h, -0.13 * h, 0.50 * h),
            trunk(0, -0.12 * h, 0.56 * h),
            (0.055, 0.05),
            person.bag_colour,
        )
    return parts
