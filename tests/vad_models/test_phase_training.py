"""One phase of a training: schedules, what happens in a step, what an epoch leaves, and where it resumes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import excerpt, profile_settings, shortened
from tests.vad_models.test_training import Toy, train_toy
from vad_models.contract import Features, Phase
from vad_models.ddp import ALONE, Share
from vad_models.devices import Resources
from vad_models.errors import DataError
from vad_models.methods import build_method
from vad_models.phase_training import PhaseRequest, Trainee, _rate, descend, seed_of, was_begun
from vad_models.training import TrainingRequest, train

VIDEOS = [blobs(20, seed) for seed in range(2)]


def trainee(
    method: Toy | None = None, held: list[Any] | None = None, share: Share = ALONE, **request: Any
) -> Trainee:
    method = method or Toy()
    values = {"name": "only", "phase": method.phases()["only"], "seed": 0, "mirror": False, **request}
    wanted = PhaseRequest(sources=VIDEOS, held=held or [], **values)
    return Trainee(method, wanted, share, lambda epoch, means: method.log.append(("epoch", (epoch, means))))


def test_schedules() -> None:
    values = {"epochs": 4, "sequence": 1, "batch": 1, "learning_rate": 0.1}
    step = Phase.model_validate(values | {"schedule": "step", "decay_every": 2})
    assert [_rate(step, at, 40) for at in (0, 19, 20, 39)] == pytest.approx([1, 1, 0.1, 0.1])
    cosine = Phase.model_validate(values | {"schedule": "cosine"})
    assert [_rate(cosine, at, 40) for at in (0, 2, 4, 22, 40)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert _rate(Phase.model_validate(values), 39, 40) == 1


def test_a_background_is_mirrored_with_the_frames_and_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    settings = shortened(profile_settings("decoupled"), 1, 12)
    method = build_method("decoupled", settings, SIZE)
    scene = blobs(1, 0)  # the left and the right of a still scene differ
    largest: list[float] = []

    def watched(frames: Tensor, phase: str) -> Features:
        features = type(method).encode(method, frames, phase)
        largest.append(float(features["foreground"].abs().max()))
        return features

    method.encode = watched  # type: ignore[method-assign]
    still = excerpt(tmp_path, "still", np.repeat(scene, 40, axis=0))
    request = TrainingRequest([still], [], tmp_path / "checkpoints", 0, mirror=True)
    train(method, request, Resources(device="cpu"))
    assert max(largest) < 1e-3
    assert np.allclose(method.get_buffer("background").movedim(0, -1), scene[0] / 255, atol=1e-6)


def test_the_parameters_are_brought_back_after_every_step(tmp_path: Path) -> None:
    method, _ = train_toy(tmp_path)
    assert len(method.calls("after_step")) == 3
    assert float(method.level.detach()) <= 0.125


def test_a_gradient_is_clipped(tmp_path: Path) -> None:
    def step(**phase: Any) -> float:
        (tmp_path / str(phase)).mkdir()
        method, _ = train_toy(
            tmp_path / str(phase), steps_per_epoch=1, optimiser="rmsprop", learning_rate=1e-9, **phase
        )
        return abs(float(method.level.grad))  # type: ignore[arg-type]

    assert step(clip_gradient=0.5) == pytest.approx(0.5, rel=1e-3)
    assert step() > 1


def test_seeds_differ_wherever_a_part_does() -> None:
    seeds = {seed_of(*parts) for parts in [(0,), (1,), (0, 0), (0, 1), (1, 0), (10,), (0, 10), (0, 1, 0)]}
    assert len(seeds) == 8
    assert seed_of(0, 1) == seed_of(0, 1)
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_a_phase_leaves_a_checkpoint_and_a_history_with_an_entry_per_epoch(tmp_path: Path) -> None:
    method = Toy(epochs=3)
    assert not was_begun(tmp_path)
    one = trainee(method, held=[blobs(20, 9)])
    descend(one, tmp_path, "cpu")
    assert was_begun(tmp_path)
    assert [sorted(means) for means in one.history] == [["holdout_loss", "loss"]] * 3
    assert method.calls("epoch") == list(enumerate(one.history))
    assert one.frames_seen == 3 * 3 * 2 * 4, "epochs, steps, sequences and their frames"
    assert one.seconds > 0


def test_a_phase_that_ended_is_not_run_again(tmp_path: Path) -> None:
    first = trainee(Toy(epochs=2))
    descend(first, tmp_path, "cpu")
    method = Toy(epochs=2)
    again = trainee(method)
    descend(again, tmp_path, "cpu")
    assert not method.calls("loss")
    assert again.history == first.history
    assert (again.seconds, again.frames_seen) == (first.seconds, first.frames_seen)


def test_a_phase_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    whole, rest = Toy(epochs=4), Toy(epochs=4)
    undisturbed = trainee(whole)
    descend(undisturbed, tmp_path / "whole", "cpu")
    descend(
        trainee(Toy(epochs=2), phase=whole.phases()["only"].model_copy(update={"epochs": 2})), tmp_path, "cpu"
    )
    resumed = trainee(rest)
    descend(resumed, tmp_path, "cpu")
    assert [epoch for epoch, _ in rest.calls("epoch")] == [2, 3]
    assert resumed.history == undisturbed.history
    assert torch.equal(rest.level, whole.level)


def test_the_held_out_loss_is_computed_in_evaluation_mode_without_gradients(tmp_path: Path) -> None:
    modes: list[tuple[bool, bool]] = []

    class Watched(Toy):
        def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
            modes.append((self.training, torch.is_grad_enabled()))
            return super().loss(features, phase)

    method = Watched()
    descend(trainee(method, held=[blobs(20, 9)]), tmp_path, "cpu")
    assert modes[:3] == [(True, True)] * 3
    assert set(modes[3:]) == {(False, False)}
    assert method.training


def test_held_out_video_shorter_than_a_sequence_is_left_out(tmp_path: Path) -> None:
    with_short, with_none = trainee(held=[blobs(3, 9)]), trainee()
    for one in (with_short, with_none):
        assert one._held == []
    assert len(trainee(held=[blobs(3, 9), blobs(4, 9)])._held) == 1


def test_training_video_shorter_than_a_sequence_is_one_sentence() -> None:
    with pytest.raises(
        DataError, match=r"a training sequence needs 21 consecutive frames, .* has 20: shorten"
    ):
        trainee(Toy(sequence=21))


def test_a_fit_gets_sequences_from_all_over_the_video(tmp_path: Path) -> None:
    method = Toy(fit_sequences=5)
    one = trainee(method)
    one.fit_in_closed_form()
    assert method.calls("fit") == [(5, 4)]
    assert one.frames_seen == 5 * 4
    whole = np.concatenate([VIDEOS[0][:4], VIDEOS[1][-4:]]).mean() / 255
    assert float(method.level.detach()) == pytest.approx(whole, abs=0.02)
    assert method.training


def test_mirrored_steps_are_a_matter_of_chance_and_never_on_frozen_features() -> None:
    batch = {"frames": torch.from_numpy(np.stack([VIDEOS[0][:4]] * 2))}
    mirrored: list[bool] = []

    class Watched(Toy):
        def mirror(self) -> None:
            mirrored.append(True)

        def encode(self, frames: Tensor, phase: str) -> Features:
            seen.append(frames)
            return super().encode(frames, phase)

    seen: list[Tensor] = []
    one = trainee(Watched(), mirror=True)
    for step in range(20):
        torch.manual_seed(step)
        one.training_step(batch, 0)
    plain = torch.from_numpy(VIDEOS[0][:4]).movedim(-1, -3) / 255
    kinds = [torch.equal(frames[:4], plain) for frames in seen]
    assert all(
        same or torch.equal(frames[:4], plain.flip(-1)) for same, frames in zip(kinds, seen, strict=True)
    )
    assert 4 < sum(kinds) < 16
    assert len(mirrored) == 2 * (20 - sum(kinds)), "before each mirrored step, and back after it"
    assert not trainee(Watched(frozen_features=True), mirror=True).mirror


def test_a_share_trains_on_its_sequences_and_weighs_what_they_are(tmp_path: Path) -> None:
    method = Toy(batch=3)
    plan = trainee(method)._plan
    first, second = (trainee(method, share=Share(rank, 2)) for rank in (0, 1))
    assert [list(batch) for batch in first._batches.batches] == [list(batch[::2]) for batch in plan]
    assert [list(batch) for batch in second._batches.batches] == [list(batch[1::2]) for batch in plan]
    losses = []
    for one in (first, second):
        batch = one._batches[0]
        plain = float(one._losses(batch)["loss"].detach())
        weighted = float(one.training_step(batch, 0).detach())
        losses.append(weighted / plain)
    assert losses == pytest.approx([2 * 2 / 3, 2 * 1 / 3])


def test_a_method_that_sees_its_training_go_wrong_says_so_once_per_epoch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Collapses(Toy):
        def warning(self, means: Any) -> str | None:
            return "all codes are alike." if means["loss"] > 0 else None

    with caplog.at_level(logging.WARNING, "vad_models.phase_training"):
        descend(trainee(Collapses(epochs=2)), tmp_path, "cpu")
    assert caplog.messages == [f"toy, phase only, epoch {epoch}: all codes are alike." for epoch in (1, 2)]


@pytest.mark.parametrize(
    ("optimiser", "kind"), [("adam", torch.optim.AdamW), ("rmsprop", torch.optim.RMSprop)]
)
def test_the_optimiser_and_its_rate_are_those_of_the_phase(optimiser: str, kind: type) -> None:
    one = trainee(Toy(optimiser=optimiser, weight_decay=0.25, epochs=2, schedule="cosine"))
    made = one.configure_optimizers()
    (group,) = made["optimizer"].param_groups
    assert isinstance(made["optimizer"], kind)
    assert (group["weight_decay"], group["initial_lr"]) == (0.25, 0.1)
    assert group["lr"] == 0, "a cosine begins at zero"
    assert made["lr_scheduler"]["interval"] == "step"
