"""`campus`: a synthetic campus with thirteen cameras, in ShanghaiTech's official layout, the same bytes everywhere."""

from vad_models.data.synth.campus.sheets import contact_sheets
from vad_models.data.synth.campus.writer import generate_campus

__all__ = ["contact_sheets", "generate_campus"]
