"""`one_class_svm` against scikit-learn's decision function, which it keeps in tensors of a fixed size."""

from __future__ import annotations

import pytest
import torch
from sklearn.svm import OneClassSVM as Reference

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import profile_settings
from vad_models.contract import as_frames
from vad_models.methods import build_method
from vad_models.methods.one_class_svm import Boundary, OneClassSVM
from vad_models.settings import load_params


def test_paper_profile_keeps_ten_thousand_patches_of_appearance() -> None:
    method = build_method("one_class_svm", load_params().methods["one_class_svm"].paper or {}, SIZE)
    assert isinstance(method, OneClassSVM)
    assert method.clip.frames == 1
    assert {name: tuple(p.shape) for name, p in method.named_parameters()} == {
        "models.spatial.vectors": (10_000, 1280),
        "models.spatial.coefficients": (10_000,),
    }
    assert all(phase.epochs == 0 for phase in method.phases().values())


@pytest.mark.parametrize("samples", [200, 1000])
def test_it_is_scikit_learns_decision_function_with_the_sign_turned(samples: int) -> None:
    torch.manual_seed(0)
    normal, others = torch.randn(200, 6) * 3 + 5, torch.randn(4, 5, 6) * 8
    boundary = Boundary(6, samples, 0.2)
    boundary.fit(normal)
    reference = Reference(nu=0.2, gamma="scale").fit(normal.double().numpy())
    expected = -torch.from_numpy(reference.decision_function(others.flatten(0, 1).double().numpy()))
    found = boundary(others)
    assert found.shape == (4, 5)
    assert torch.allclose(found.flatten().double(), expected, rtol=1e-3, atol=1e-3)
    # Entries beyond the support vectors weigh nothing.
    assert boundary.vectors.shape == (samples, 6)
    assert int((boundary.coefficients > 0).sum()) == len(reference.support_)


def test_a_share_of_nu_of_the_normal_patches_is_outside() -> None:
    torch.manual_seed(0)
    normal = torch.randn(1000, 4)
    for nu in (0.05, 0.3):
        boundary = Boundary(4, 1000, nu)
        boundary.fit(normal)
        assert (boundary(normal) > 1e-3).float().mean() == pytest.approx(nu, abs=0.03)
        assert boundary(torch.full((1, 4), 9.0)) > boundary(normal).max()


def test_a_second_fit_forgets_the_first() -> None:
    torch.manual_seed(0)
    boundary, fresh = Boundary(4, 300, 0.1), Boundary(4, 300, 0.1)
    boundary.fit(torch.randn(300, 4) * 5)
    patches = torch.randn(100, 4)
    torch.manual_seed(1)
    boundary.fit(patches)
    torch.manual_seed(1)
    fresh.fit(patches)
    assert all(torch.equal(fresh.state_dict()[key], value) for key, value in boundary.state_dict().items())


@pytest.mark.parametrize("components", [None, 16])
def test_the_score_of_a_frame_is_how_far_its_patches_are_outside(components: int | None) -> None:
    torch.manual_seed(0)
    settings = profile_settings("one_class_svm") | {"branches": {"spatial": 1.0}, "components": components}
    method = build_method("one_class_svm", settings, SIZE)
    assert isinstance(method, OneClassSVM)
    method.fit({"patches": method.features(as_frames(blobs(40, 0)))["patches"][None]}, "support")
    features = method.features(as_frames(blobs(12, 1)))
    inputs = method.branches(features["patches"])["spatial"]
    assert inputs.shape == (12, 21, components or 112)
    outside = method.models["spatial"](inputs)
    assert torch.allclose(method.score(features)["spatial"], outside.mean(1))
    assert method.error_map(features).shape == (12, 4, 4)
    loss = method.loss({"patches": features["patches"][None]}, "support")["loss"]
    assert torch.allclose(loss, outside.mean(), atol=1e-5)
