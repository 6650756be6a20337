"""Who is cut out, with which gait, place and pace."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vad_models.evaluation.pasting.streets import Person, street
from vad_models.errors import DataError
from vad_models.evaluation.pasting.walkers import mirrored, walkers


def test_a_person_is_cut_out_whole_in_each_frame_with_its_way(channels: int) -> None:
    found = walkers([street([Person(50, 5, look=seed)], channels=channels) for seed in (2, 3)])

    assert len(found) == 2
    walker = found[0]
    assert walker.velocity == pytest.approx((1, 0), abs=0.05)
    assert walker.foot[1] == 50 and walker.height == 14
    assert len(walker.looks) > 30
    for look in walker.looks:
        assert look.pixels.shape == (*look.mask.shape, channels)
        assert look.mask[3:10, 4:-4].min() > 0.9 and look.mask[0].max() == 0
        assert look.pixels[3:10, 4:-4].min() >= 120
        assert look.foot == pytest.approx((look.mask.shape[1] / 2, 16), abs=1)


def test_the_gait_is_kept_and_the_standing_look_has_the_legs_together() -> None:
    (walker,) = walkers([street([Person(50, 5)])])

    legs = [int((look.mask[-6:-3] > 0.9).any(0).sum()) for look in walker.looks]

    assert max(legs) > min(legs)
    standing = walker.standing
    assert (standing.mask > 0.5).any(0).sum() == min((look.mask > 0.5).any(0).sum() for look in walker.looks)


def test_who_is_far_away_is_small_and_slow() -> None:
    near, far = Person(60, 2), Person(22, 5, 0.5, height=8, width=4)

    found = walkers([street([near, far], frames=80)] * 3)

    speed_of = {round(one.foot[1]): one.speed for one in found}
    assert set(speed_of) == {22, 60}
    assert speed_of[60] == pytest.approx(2 * speed_of[22], rel=0.1)


def test_groups_and_standing_things_are_not_cut_out() -> None:
    alone = [street([Person(30, 5, look=seed)]) for seed in range(3)]
    group = street([Person(60, 5, width=18)])
    parked = street([])
    parked[:20, 40:54, 70:76] = 200

    assert {round(one.foot[1]) for one in walkers([*alone, group, parked])} == {30}


@pytest.mark.parametrize("frames", [1, 30])
def test_a_camera_where_nobody_moves_is_an_error(frames: int) -> None:
    with pytest.raises(DataError, match=r"nothing moves alone in the 2 normal videos .*: take videos"):
        walkers([street([], frames=frames)] * 2)


def test_a_mirrored_walker_looks_and_walks_the_other_way() -> None:
    (walker,) = walkers([street([Person(50, 5)])])
    other = mirrored(walker)

    assert other.velocity == (-walker.velocity[0], walker.velocity[1])
    assert np.array_equal(other.looks[0].mask, walker.looks[0].mask[:, ::-1])
    assert mirrored(other).looks[3].foot == pytest.approx(walker.looks[3].foot)
