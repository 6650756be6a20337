"""The campus must be hard enough to mean something: what two detectors without learning score on the demo's cameras."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score as auc

from vad_models.data.synth.campus.anomalies import KINDS
from vad_models.data.synth.campus.render import render
from vad_models.data.synth.campus.script import videos_of

DEMO_CAMERAS, DEMO_SEED = 3, 7


@pytest.mark.slow
def test_frame_differencing_and_perfect_appearance_both_fail_on_the_demo() -> None:
    labels, differences, ranged, appearance = [], [], [], []
    for camera in range(1, DEMO_CAMERAS + 1):
        for video in (video for video in videos_of(DEMO_SEED, camera) if video.split == "test"):
            pictures = list(render(video))
            frames = np.stack([picture.frame for picture in pictures]).astype(np.int16)
            change = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
            change = np.concatenate([change[:1], change])  # the first frame has none before it
            labels.append([bool(picture.sightings) for picture in pictures])
            appearance.append([any(KINDS[kind][0] != "motion" for kind in p.sightings) for p in pictures])
            differences.append(change)
            ranged.append((change - change.min()) / (change.max() - change.min()))
    truth = np.concatenate(labels)
    assert 0.3 < truth.mean() < 0.6
    assert auc(truth, np.concatenate(differences)) < 0.80
    assert auc(truth, np.concatenate(ranged)) < 0.80
    assert 0.6 < auc(truth, np.concatenate(appearance).astype(float)) < 0.92
