"""Result tables for readers, in README and on the report page: one row per method and signal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from flows.results.tables import CONTROLS, COSTS
from flows.results.targets import Target
from vad_models.data.files import atomic_path
from vad_models.evaluation.normalisation import PAPERS
from vad_models.jobs.job import label_of

__all__ = [
    "CONTROL_TITLES",
    "ComparisonRow",
    "comparison_rows",
    "interval_text",
    "number_text",
    "overall",
    "readme_table",
    "refresh_readme",
    "target_text",
    "targets_text",
]

CONTROL_TITLES = {"random": "control: random scores", "video_prior": "control: abnormal share of each video"}


@dataclass(frozen=True)
class ComparisonRow:
    """A method's signal on all cameras, mean over seeds.

    Attributes:
        method: method or variant.
        signal: name of the signal; `""` for a control.
        headline: whether the method is judged by this signal.
        control: whether it is a control.
        seeds: number of seeds.
        auc: normalisation -> (mean, low, high), for the normalisations in the table; see `auc_under`.
        eer, average_precision: under the deployable normalisation; for a control, of its raw scores.
        frames_scored: number of test frames.
        train_minutes, params_m, gflop_per_frame, fps_train, fps_score: costs, NaN for a control.
        target: the AUC that the method's headline should reach; None if none is set.
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
    target: Target | None

    def auc_under(self, normalisation: str) -> tuple[float, float, float]:
        """Return the AUC under a normalisation as mean, low, high; NaN if it was not measured."""
        return self.auc.get(normalisation, (np.nan, np.nan, np.nan))

    @property
    def target_met(self) -> bool | None:
        """Whether the target was reached; None if there is no target or nothing was measured."""
        if self.target is None:
            return None
        return self.target.met_by(self.auc_under(self.target.normalisation)[0])


def overall(results: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of camera `all`, or of the only camera if the dataset has one."""
    together = results[results["camera"] == "all"]
    return together if len(together) else results


def comparison_rows(
    results: pd.DataFrame, deployable: str, targets: Mapping[str, Target] | None = None
) -> list[ComparisonRow]:
    """Rank the methods by headline AUC, best first, each followed by its other signals; the controls come last.

    Args:
        results: a dataset's result table.
        deployable: the normalisation that ranks the methods, `evaluation.normalisation` of the settings.
        targets: method -> target of its headline.
    """
    table = overall(results)
    means = table[table["seed"] == "all"]
    rows = []
    for (method, variant, signal), group in means.groupby(["method", "variant", "signal"], sort=False):
        control = method in CONTROLS
        by_normalisation = group.set_index("normalisation")
        # A control has only its raw scores, and a method without labelled video has one row without rates.
        shown = (
            by_normalisation.loc[deployable]
            if deployable in by_normalisation.index
            else by_normalisation.iloc[0]
        )
        label, headline = label_of(method, variant), bool(shown["headline"])
        same = table[(table["method"] == method) & (table["variant"] == variant) & (table["seed"] != "all")]
        rows.append(
            ComparisonRow(
                method=label,
                signal="" if control else signal,
                headline=headline,
                control=control,
                seeds=0 if control else same["seed"].nunique(),
                auc={
                    how: (float(one["auc_micro"]), float(one["auc_low"]), float(one["auc_high"]))
                    for how, one in by_normalisation.iterrows()
                },
                eer=float(shown["eer"]),
                average_precision=float(shown["average_precision"]),
                frames_scored=int(shown["frames_scored"]),
                **{name: float(shown[name]) for name in COSTS},
                target=(targets or {}).get(label) if headline else None,
            )
        )
    best = {row.method: row.auc_under(deployable)[0] for row in rows if row.headline}
    return sorted(
        rows,
        key=lambda row: (row.control, -np.nan_to_num(best[row.method]), row.method, not row.headline),
    )


def readme_table(results: pd.DataFrame, deployable: str, targets: Mapping[str, Target] | None = None) -> str:
    """Return a Markdown table of the methods by their headline signals, with a caption that explains the numbers.

    Args:
        results: a dataset's result table.
        deployable: the normalisation that ranks the methods.
        targets: method -> target; without targets, the table has no such column.
    """
    rows = [row for row in comparison_rows(results, deployable, targets) if row.headline]
    table = pd.DataFrame([_cells(row, deployable) for row in rows])
    if not targets:
        table = table.drop(columns="target")
    alignment = ["left", "left", *["right"] * (table.shape[1] - 2)]
    text = table.to_markdown(index=False, disable_numparse=True, colalign=alignment)
    return f"{text}\n\n{_caption(results, deployable, targets or {})}"


def _cells(row: ComparisonRow, deployable: str) -> dict[str, str]:
    """Return a row of README's table as column -> text."""
    aucs = {deployable: row.auc_under("none" if row.control else deployable), PAPERS: row.auc_under(PAPERS)}
    return {
        "method": f"*{CONTROL_TITLES[row.method]}*" if row.control else row.method,
        "signal": row.signal,
        "seeds": "" if row.control else str(row.seeds),
        "frames": f"{row.frames_scored:,}",
        **{f"AUC `{how}`": interval_text(auc) for how, auc in aucs.items()},
        "target": target_text(row),
        "EER": number_text(row.eer, 3),
        "training": number_text(row.train_minutes, 1, " min"),
        "parameters": number_text(row.params_m, 2, " M"),
        "GFLOP per frame": number_text(row.gflop_per_frame, 2),
        "trains": number_text(row.fps_train, 0, "/s"),
        "scores": number_text(row.fps_score, 0, "/s"),
    }


def target_text(row: ComparisonRow) -> str:
    """Format a target as `0.90 met` or `0.90 missed`, or only the number if nothing was measured; empty without one."""
    if row.target is None:
        return ""
    mark = {True: " met", False: " missed", None: ""}[row.target_met]
    return f"{row.target.auc:.2f}{mark}"


def refresh_readme(readme: Path, dataset: str, table: str) -> bool:
    """Put `table` between the dataset's markers in README; returns whether the file changed.

    The markers are `<!-- results:DATASET -->` and `<!-- /results -->`; without them, the file is left as it is.
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
    """Format a mean with its interval as `0.934 (0.921–0.947)`, or only the mean; empty for NaN."""
    mean, low, high = values
    if np.isnan(mean):
        return ""
    return f"{mean:.3f} ({low:.3f}–{high:.3f})" if np.isfinite(low) else f"{mean:.3f}"


def number_text(value: float, decimals: int, unit: str = "") -> str:
    """Format a number with its unit; empty for NaN."""
    return "" if np.isnan(value) else f"{value:.{decimals}f}{unit}"


def _caption(results: pd.DataFrame, deployable: str, targets: Mapping[str, Target]) -> str:
    labels = ", ".join(sorted(set(overall(results)["labels"].dropna())))
    profile = ", ".join(sorted(set(results["profile"].dropna())))
    said = (
        "Frame-level micro AUC of each method's headline signal, mean over seeds with its interval (Student t over "
        f"seeds; of one seed, bootstrap over videos): under `{deployable}`, which can be deployed and ranks the table, "
        f"and under `{PAPERS}`, as papers report it. EER under `{deployable}`; labels `{labels}`, profile `{profile}`. "
        "Frames are the scored test frames; training is minutes of one seed; trains and scores are frames per second."
    )
    return f"{said} {targets_text(targets)}".rstrip()


def targets_text(targets: Mapping[str, Target]) -> str:
    """Describe the targets, as in `Targets are the project's own aim, for the AUC under per_video.`; may be empty."""
    kinds = sorted({(target.source, target.normalisation) for target in targets.values()})
    aims = "; ".join(f"{source}, for the AUC under {normalisation}" for source, normalisation in kinds)
    return f"Targets are {aims}." if aims else ""
