"""Anomalies pasted into normal video, for choosing settings where nobody has labelled anything.

People are cut out of a camera's normal training video, with their gait (`walkers`); where they walk and stand, which
way they go there and how high they are is read from it too (`places`). Each kind of anomaly (`kinds`) takes somebody
along a way through other normal video of the camera on which nobody pops up (`stage`), and is drawn in (`compose`).

The energy of motion must not solve it. So most kinds are as fast as people walk, or stand still; and there are
controls: people who are pasted in the same manner, walk where and as they did, and count as normal.
"""

from vad_models.evaluation.pasting.compose import Pasted
from vad_models.evaluation.pasting.kinds import CONTROL, FAST, KINDS, SLOW, pasted
from vad_models.evaluation.pasting.places import Scene, scene
from vad_models.evaluation.pasting.questions import asked, tampered_copies

__all__ = [
    "CONTROL",
    "FAST",
    "KINDS",
    "SLOW",
    "Pasted",
    "Scene",
    "asked",
    "pasted",
    "scene",
    "tampered_copies",
]
