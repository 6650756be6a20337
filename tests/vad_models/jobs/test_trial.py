"""Trials: held-out video, pasted anomalies, and that the verdicts rank methods."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import vad_models
from tests.footage import SIZE, blobs, make_store
from tests.vad_models.evaluation.pasting.streets import HEIGHT, WIDTH, busy_street
from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.data.clips import Excerpt
from vad_models.data.frame_store import FrameStore, Video
from vad_models.errors import DataError
from vad_models.evaluation import pasting
from vad_models.jobs.code_version import source_tree
from vad_models.jobs.job import Job
from vad_models.jobs.trial import (
    COLUMNS,
    GROUPS,
    KINDS,
    Footage,
    footage,
    train_method,
    verdicts,
    yardstick_version,
)
from vad_models.methods import build_method
from vad_models.settings import FrameSize

PED2 = Path(__file__).parents[3] / "frames/ucsd_ped2/128x192x1/01/train"

SETTINGS = {
    "clip": 4,
    "channels": [4, 4],
    "training": {"epochs": 2, "steps_per_epoch": 2, "sequence": 6, "batch": 2, "learning_rate": 1e-3},
}


def job(camera: str = "01", seed: int = 0) -> Job:
    return Job(
        dataset="blobs",
        camera=camera,
        method="conv_ae",
        profile="demo",
        seed=seed,
        settings=SETTINGS,
        frames=str(SIZE),
        holdout=0.3,
        data_version="0",
        code_version="0",
    )


@pytest.fixture(autouse=True)
def _few_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vad_models.evaluation.pasting.questions._CLIPS", 2)
    monkeypatch.setattr("vad_models.evaluation.pasting.questions._CONTROLS", 6)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """Two cameras with three normal videos each."""
    return make_store(tmp_path_factory.mktemp("frames"), cameras=2)


def test_every_fourth_video_is_held_out_of_every_camera(store: FrameStore) -> None:
    video = footage(job("all"), store, 4)

    assert [(one.video.camera, one.video.name) for one in video.held_out] == [("01", "c"), ("02", "c")]
    assert [one.video.name for one in video.training] == ["a", "b", "a", "b"]
    assert set(video.scenes) == {"01", "02"}
    assert [one.video.name for one in footage(job(), store, 2).held_out] == ["b"]


def test_no_test_video_is_looked_at(store: FrameStore) -> None:
    video = footage(job(), store, 4)
    assert {one.video.split for one in (*video.training, *video.held_out)} == {"train"}


def test_too_few_videos_to_hold_one_out_is_an_error(store: FrameStore) -> None:
    with pytest.raises(DataError, match=r"camera 01 has 3 normal video\(s\).*one of every 8: .*--held-out 2"):
        footage(job(), store, 8)


def test_each_kind_and_the_control_are_asked_about_in_each_held_out_video(street: Footage) -> None:
    clips = list(street.tampered())

    assert len(clips) == street.clips
    for excerpt in street.held_out:
        kinds = Counter(clip.kind for clip in clips if clip.name.startswith(f"{excerpt.video.name}/"))
        assert kinds == dict.fromkeys(KINDS, 1) | {pasting.CONTROL: 3}
    assert len({(clip.camera, clip.name) for clip in clips}) == len(clips)
    for clip, again in zip(clips, street.tampered(), strict=True):
        assert np.array_equal(clip.pasted.frames, again.pasted.frames)
        assert clip.pasted.abnormal.any() == (clip.kind != pasting.CONTROL)


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("questions.py", "_CONTROLS = 4, 12", "_CONTROLS = 4, 13"),
        ("kinds.py", "uniform(2.0, 3.0)", "uniform(2.0, 3.1)"),
        ("places.py", "_FEET = 0.25", "_FEET = 0.3"),
        ("walkers.py", "CONTRAST = 18.0", "CONTRAST = 19.0"),
        ("things.py", "_SHADOW = 0.3", "_SHADOW = 0.4"),
        ("compose.py", "_VISIBLE = 0.3", "_VISIBLE = 0.4"),
    ],
)
def test_all_that_decides_the_questions_is_part_of_their_version(
    tmp_path: Path, module: str, old: str, new: str
) -> None:
    package = shutil.copytree(Path(vad_models.__file__).parent, tmp_path / "vad_models")
    assert yardstick_version(source_tree({"vad_models": package})) == yardstick_version()
    file = package / "evaluation/pasting" / module
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))

    assert yardstick_version(source_tree({"vad_models": package})) != yardstick_version()


def test_a_trained_method_gets_a_row_per_signal_and_normalisation(store: FrameStore) -> None:
    video = footage(job(), store, 4)
    epochs: list[tuple[int, int]] = []
    clips: list[tuple[int, int]] = []
    method, training = train_method(
        job(), store.size, video, progress=lambda done, total: epochs.append((done, total))
    )
    table = verdicts(
        {"conv_ae": method, "frame_difference": yardstick()},
        video,
        lambda done, total: clips.append((done, total)),
    )

    assert tuple(table.columns) == COLUMNS
    assert table[["method", "signal", "normalisation"]].to_numpy().tolist() == [
        ["conv_ae", "reconstruction", "none"],
        ["conv_ae", "reconstruction", "per_video"],
        ["frame_difference", "change", "none"],
        ["frame_difference", "change", "per_video"],
    ]
    assert table["headline"].all()
    assert table[["runner", "fast", *GROUPS, "all", "hit", "chance"]].stack().between(0, 1).all()
    assert epochs == [(1, 2), (2, 2)] and clips[0] == (1, video.clips)
    assert training.minutes > 0


def test_the_seed_decides_what_is_trained(store: FrameStore) -> None:
    video = footage(job(), store, 4)
    first, again, other = (
        verdicts({"conv_ae": train_method(job(seed=seed), store.size, video)[0]}, video) for seed in (0, 0, 1)
    )
    assert first.equals(again)
    assert not first.equals(other)


def test_a_method_that_sees_speed_alone_fails_what_is_not_faster_than_people_walk(street: Footage) -> None:
    table = verdicts({"frame_difference": yardstick(street.held_out[0])}, street).set_index("normalisation")

    assert (table["faster"] > 0.7).all()
    assert table["no_faster"].between(0.3, 0.6).all()
    assert (table[list(GROUPS["no_faster"])] < 0.7).all(axis=None)
    assert (table["all"] < 0.75).all()


@pytest.mark.skipif(not PED2.is_dir(), reason=f"no {PED2}: import UCSD Ped2 and run `vad derive ucsd_ped2`")
def test_nor_does_it_pass_on_real_video() -> None:
    excerpts = [
        Excerpt(Video("01", "train", path.stem, len(np.load(path, mmap_mode="r")), path, None), 0, 100)
        for path in sorted(PED2.glob("*.npy"))[:3]
    ]
    *trained, held_out = excerpts
    seen = {"01": pasting.scene([excerpt.array() for excerpt in trained])}

    table = verdicts({"frame_difference": yardstick(held_out)}, Footage(trained, [held_out], seen))

    assert table["no_faster"].between(0.3, 0.65).all()
    assert (table["all"] < 0.75).all()


class Spot(Method):
    """A method that sees one pixel, and scores 1 where it is bright."""

    name, title, Settings = "spot", "one pixel", MethodSettings
    signals, headline = ("bright",), "bright"

    def __init__(self, size: FrameSize, row: int, column: int) -> None:
        super().__init__(MethodSettings(), size)
        self.clip, self.place = ClipSpec(1, 0, size), (row, column)
        self.weight = nn.Parameter(torch.ones(()), requires_grad=False)

    def phases(self) -> dict[str, Phase]:
        return {}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        raise NotImplementedError

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        return {"bright": features["frames"].mean((1, 2, 3))}

    def error_map(self, features: Features) -> Tensor:
        frames = features["frames"]
        found = torch.zeros(len(frames), *frames.shape[2:])
        found[:, self.place[0], self.place[1]] = 1
        return found


def test_a_hit_is_a_highest_pixel_on_the_anomaly(street: Footage) -> None:
    size = FrameSize(HEIGHT, WIDTH, 1)
    masks = np.concatenate([clip.pasted.mask[clip.pasted.abnormal] for clip in street.tampered()])
    row, column = np.unravel_index(masks.mean(0).argmax(), (HEIGHT, WIDTH))

    often, never = (
        verdicts({"spot": Spot(size, *place)}, street).iloc[0] for place in ((int(row), int(column)), (0, 0))
    )

    assert often["hit"] == pytest.approx(masks[:, row, column].mean())
    assert never["hit"] == masks[:, 0, 0].mean()
    assert often["chance"] == never["chance"] == pytest.approx(masks.mean())


def test_video_too_short_for_a_method_is_an_error(tmp_path: Path) -> None:
    short = made_of(tmp_path, frames=60, held_out=4)
    settings = SETTINGS | {"clip": 6}
    with pytest.raises(
        DataError, match=r"no held-out video is long enough for conv_ae, which needs 6 frames"
    ):
        verdicts({"conv_ae": build_method("conv_ae", settings, SIZE)}, short)


def yardstick(excerpt: Excerpt | None = None) -> Method:
    size = SIZE if excerpt is None else FrameSize(*excerpt.array().shape[1:])
    return build_method("frame_difference", {}, size)


def made_of(folder: Path, frames: int, held_out: int | None = None) -> Footage:
    """A video to train on, and one that is held out."""
    excerpts = []
    for name, count in (("a", frames), ("b", held_out or frames)):
        np.save(folder / f"{name}.npy", blobs(count, 1))
        excerpts.append(Excerpt(Video("01", "train", name, count, folder / f"{name}.npy", None), 0, count))
    return Footage(excerpts[:1], excerpts[1:], {"01": pasting.scene([excerpts[0].array()])})


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    """A street on which people walk: five videos to train on, and two that are held out."""
    folder = tmp_path_factory.mktemp("street")
    excerpts = []
    for seed in range(7):
        path = folder / f"{seed}.npy"
        np.save(path, busy_street(seed))
        excerpts.append(Excerpt(Video("01", "train", str(seed), 80, path, None), 0, 80))
    scene = pasting.scene([excerpt.array() for excerpt in excerpts[:5]])
    return Footage(excerpts[:5], excerpts[5:], {"01": scene})
