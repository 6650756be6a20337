"""Result tables as people read them, in README and on the report page: one row a method and signal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from flows.results.tables import CONTROLS
from vad_models.data.files import atomic_path
from vad_models.jobs.job import label_of

__all__ = [
    "CONTROL_TITLES",
    "SHOWN",
    "ComparisonRow",
    "comparison_rows",
    "interval_text",
    "number_text",
    "overall",
    "readme_table",
    "refresh_readme",
]

SHOWN = ("per_video", "training", "none")
"""Normalisations that are shown side by side: what papers report, what can be deployed, and the raw score."""

CONTROL_TITLES = {"random": "control: random scores", "video_prior": "control: abnormal share of each video"}


@dataclass(frozen=True)
class ComparisonRow:
    """A method's signal on all cameras, mean over seeds.

    Attributes:
        method: method or variant; signal: `""` for a control; headline: whether the method is judged by it.
        control: whether it is a control.
        seeds: how many.
        auc: normalisation -> (mean, low, high), NaN where not measured.
        eer, average_precision: under the first of `SHOWN`; for a control, of its scores.
        frames_scored: test frames.
        train_minutes, params_m, gflop_per_frame, fps_train, fps_score: costs, NaN for a control.
    """

    method: str
    signal: str
    headline: bool
    control: bool
    seeds: int
    auc: dict[str, tuple[float, float, float]]
    eer: float
    average_precision: float
    frames_scored: int
    train_minutes: float
    params_m: float
    gflop_per_frame: float
    fps_train: float
    fps_score: float


def overall(results: pd.DataFrame) -> pd.DataFrame:
    """The rows of camera `all`; where the dataset has one camera, that camera's."""
    together = results[results["camera"] == "all"]
    return together if len(together) else results


def comparison_rows(results: pd.DataFrame) -> list[ComparisonRow]:
    """Methods by headline AUC, best first, each with its other signals below it; the controls last."""
    table = overall(results)
    means = table[table["seed"] == "all"]
    rows = []
    for (method, variant, signal), group in means.groupby(["method", "variant", "signal"], sort=False):
        control = method in CONTROLS
        by_normalisation = group.set_index("normalisation")
        shown = by_normalisation.loc[
            "none" if control else next(n for n in SHOWN if n in by_normalisation.index)
        ]
        label = label_of(method, variant)
        same = table[(table["method"] == method) & (table["variant"] == variant) & (table["seed"] != "all")]
        rows.append(
            ComparisonRow(
                method=label,
                signal="" if control else signal,
                headline=bool(shown["headline"]),
                control=control,
                seeds=0 if control else same["seed"].nunique(),
                auc={
                    how: (float(one["auc_micro"]), float(one["auc_low"]), float(one["auc_high"]))
                    for how, one in by_normalisation.iterrows()
                },
                eer=float(shown["eer"]),
                average_precision=float(shown["average_precision"]),
                frames_scored=int(shown["frames_scored"]),
                train_minutes=float(shown["train_minutes"]),
                params_m=float(shown["params_m"]),
                gflop_per_frame=float(shown["gflop_per_frame"]),
                fps_train=float(shown["fps_train"]),
                fps_score=float(shown["fps_score"]),
            )
        )
    best = {row.method: row.auc.get(SHOWN[0], (0.0,))[0] for row in rows if row.headline}
    return sorted(rows, key=lambda row: (row.control, -best[row.method], row.method, not row.headline))


def readme_table(results: pd.DataFrame) -> str:
    """A markdown table of the methods by their headline signals, with a line that says what the numbers are."""
    rows = [row for row in comparison_rows(results) if row.headline]
    head = ["method", "signal", "seeds", "frames", *(f"AUC `{how}`" for how in SHOWN), "EER"]
    head += ["training", "parameters", "GFLOP a frame", "trains", "scores"]
    lines = [head, ["---", "---", *["--:"] * (len(head) - 2)]]
    for row in rows:
        frames = f"{row.frames_scored:,}"
        rate = number_text(row.eer, 3)
        if row.control:
            aucs = [interval_text(row.auc["none"]), *[""] * (len(SHOWN) - 1)]
            lines.append([f"*{CONTROL_TITLES[row.method]}*", "", "", frames, *aucs, rate, *[""] * 5])
            continue
        costs = [
            number_text(row.train_minutes, 1, " min"),
            number_text(row.params_m, 2, " M"),
            number_text(row.gflop_per_frame, 2),
            number_text(row.fps_train, 0, "/s"),
            number_text(row.fps_score, 0, "/s"),
        ]
        aucs = [interval_text(row.auc[how]) if how in row.auc else "" for how in SHOWN]
        lines.append([row.method, row.signal, str(row.seeds), frames, *aucs, rate, *costs])
    return "\n".join(["| " + " | ".join(cells) + " |" for cells in lines] + ["", _caption(results)])


def refresh_readme(readme: Path, dataset: str, table: str) -> bool:
    """Put `table` between the dataset's markers in README; returns whether anything changed.

    The markers are `<!-- results:DATASET -->` and `<!-- /results -->`; without them nothing is done.
    """
    if not readme.exists():
        return False
    before = readme.read_text(encoding="utf-8")
    pattern = rf"(<!-- results:{re.escape(dataset)} -->\n).*?(<!-- /results -->)"
    after = re.sub(pattern, lambda found: f"{found[1]}\n{table}\n\n{found[2]}", before, flags=re.DOTALL)
    if after == before:
        return False
    with atomic_path(readme) as temporary:
        temporary.write_text(after, encoding="utf-8")
    return True


def interval_text(values: Sequence[float]) -> str:
    """`0.934 (0.921–0.947)`; without an interval the mean alone; nothing for NaN."""
    mean, low, high = values
    if np.isnan(mean):
        return ""
    return f"{mean:.3f} ({low:.3f}–{high:.3f})" if np.isfinite(low) else f"{mean:.3f}"


def number_text(value: float, decimals: int, unit: str = "") -> str:
    """A number with its unit; nothing for NaN."""
    return "" if np.isnan(value) else f"{value:.{decimals}f}{unit}"


def _caption(results: pd.DataFrame) -> str:
    labels = ", ".join(sorted(set(overall(results)["labels"].dropna())))
    profile = ", ".join(sorted(set(results["profile"].dropna())))
    return (
        "Frame-level micro AUC of each method's headline signal, mean over seeds with its interval (Student t over "
        f"seeds; of one seed, bootstrap over videos); EER under `{SHOWN[0]}`; labels `{labels}`, profile `{profile}`. "
        "Frames are the scored test frames; training is minutes of one seed; trains and scores are frames a second."
    )
