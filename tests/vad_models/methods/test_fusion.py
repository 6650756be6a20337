"""`fusion`: surprises are tail probabilities of held-out scores; members keep their frames and their weights."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import profile_settings
from vad_models.errors import SettingsError
from vad_models.layers.tails import Tail
from vad_models.methods import build_method
from vad_models.methods.fusion import Fusion
from vad_models.scoring import score_video


def build(**members: list[str]) -> Fusion:
    torch.manual_seed(0)
    chosen = members or {"decoupled": ["latent"], "ffp": ["prediction"]}
    settings = {
        label: {"method": label, "signals": signals, "settings": profile_settings(label)}
        for label, signals in chosen.items()
    }
    method = build_method("fusion", {"members": settings}, SIZE)
    assert isinstance(method, Fusion)
    return method.eval()


def fitted(scores: np.ndarray) -> Tail:
    tail = Tail(0.9, 0.5)
    tail.fit(scores)
    return tail


def test_a_surprise_is_minus_the_log_of_the_share_of_normal_scores_above() -> None:
    held_out = np.random.default_rng(0).gamma(2.0, size=20_000)
    tail = fitted(held_out)
    for share in (0.5, 0.2, 0.1):
        at = torch.tensor([np.quantile(held_out, 1 - share)], dtype=torch.float32)
        assert float(tail(at)) == pytest.approx(-np.log(share), rel=0.02)


def test_beyond_what_was_held_out_surprise_is_that_of_a_generalised_pareto_tail() -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    excess = scipy_stats.genpareto(0.5, scale=0.3).ppf((np.arange(20_000) + 0.5) / 20_000)
    held_out = np.concatenate([np.linspace(0, 1, 180_000), 1 + excess])
    beyond = torch.tensor([1.5, 3.0, 20.0])
    expected = np.log(10) - scipy_stats.genpareto(0.5, scale=0.3).logsf(beyond.numpy() - 1)
    assert np.allclose(fitted(held_out)(beyond).numpy(), expected, rtol=0.01)


def test_a_surprise_never_falls_with_the_score_and_has_no_unit() -> None:
    held_out = np.random.default_rng(1).normal(size=500)
    scores = torch.linspace(-5, 10, 400)
    surprises = fitted(held_out)(scores)
    assert (surprises.diff() >= 0).all() and (surprises >= 0).all()
    assert torch.allclose(fitted(1000 * held_out)(1000 * scores), surprises, rtol=1e-3, atol=1e-4)


def test_held_out_scores_that_never_move_give_finite_surprises() -> None:
    assert torch.isfinite(fitted(np.zeros(50))(torch.tensor([-1.0, 0.0, 1.0]))).all()


def test_the_fused_score_is_the_mean_of_the_members_surprises_of_the_same_frame() -> None:
    method, video = build(), blobs(40, 3)
    whole = {}
    for label, signal in (("decoupled", "latent"), ("ffp", "prediction")):
        member = method._member(label)
        scores = score_video(member, video, [signal])
        table = pd.DataFrame({signal: scores.signals[signal]})
        method.adopt(label, member, table)
        tail = method._tails(label)[signal]
        surprises = tail(torch.from_numpy(scores.signals[signal])).numpy()
        whole[label] = surprises[method.clip.target - scores.first :]
    found = score_video(method, video)
    assert found.first == method.clip.target == 13
    assert np.allclose(
        found.signals["mean_surprise"], np.mean([*whole.values()], axis=0), rtol=1e-3, atol=1e-4
    )
    assert np.allclose(
        found.signals["largest_surprise"], np.max([*whole.values()], axis=0), rtol=1e-3, atol=1e-4
    )


def test_adopting_a_member_takes_over_its_weights() -> None:
    method, trained = build(), build()._member("ffp")
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(1)
    method.adopt("ffp", trained, pd.DataFrame({"prediction": np.arange(9.0)}))
    for name, value in trained.state_dict().items():
        assert torch.equal(method.state_dict()[f"members.ffp.{name}"], value)


def test_windows_of_members_that_look_ahead_are_laid_over_each_other() -> None:
    method = build(conv_ae=["reconstruction"], ffp=["prediction"])
    middle = method._member("conv_ae").clip
    assert method.clip.target == max(middle.target, 4)
    assert method.clip.lookahead == middle.lookahead > 0
    assert score_video(method, blobs(30, 1), maps=True).maps is not None


def test_an_unknown_signal_of_a_member_is_named() -> None:
    with pytest.raises(
        SettingsError, match=r"fusion\.members\.ffp names the signal 'latent', but ffp has: prediction"
    ):
        build(ffp=["latent"])
