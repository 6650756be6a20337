"""Where people walk and stand, which way they go, and how high they are."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vad_models.evaluation.pasting.streets import Person, busy_street, street
from vad_models.evaluation.pasting import scene


def test_people_walk_where_their_feet_were_and_nowhere_else() -> None:
    seen = scene([busy_street(seed) for seed in range(4)])

    assert seen.walked[[22, 40], 20:70].all()
    assert not seen.walked[:12].any() and not seen.walked[55:].any()


def test_people_stand_where_somebody_stayed_through_a_whole_video() -> None:
    walking = [street([Person(40, 5, look=seed)]) for seed in range(4)]
    standing = street([Person(60, 70, speed=0)])

    seen = scene([*walking, standing])

    assert seen.stood[58, 73] and not seen.walked[58, 73]
    assert not seen.stood[38].any()


def test_directions_that_all_share_are_long_and_mixed_ones_short() -> None:
    right = [street([Person(40, 5, look=seed)]) for seed in range(3)]
    left = [street([Person(40, 85, speed=-1, look=seed)]) for seed in range(3)]

    one_way, both_ways = scene(right).direction, scene([*right, *left]).direction

    assert one_way[34, 30:60, 0].min() > 0.8
    assert np.abs(one_way[34, 30:60, 1]).max() < 0.3
    assert np.abs(both_ways[34, 30:60]).max() < 0.4


def test_height_follows_the_row() -> None:
    near, far = Person(60, 2), Person(22, 5, 0.5, height=8, width=4)

    seen = scene([street([near, far], frames=80)] * 3)

    assert seen.height(60) == pytest.approx(14, abs=1)
    assert seen.height(22) == pytest.approx(8, abs=1)
    assert seen.height(np.array([-500.0, 500.0])) == pytest.approx([0.6 * 11, 1.6 * 11], rel=0.3)
