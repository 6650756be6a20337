"""Description of a registered version: its tags and its model card."""

from __future__ import annotations

import pandas as pd

from flows.project.provenance import read_provenance
from flows.registry.choice import Choice
from vad_models.evaluation.normalisation import PAPERS

__all__ = ["model_card", "version_tags"]


def version_tags(choice: Choice) -> dict[str, str]:
    """Return the tags of a version: its job, its provenance, the criterion of its choice, and its threshold."""
    finished = choice.winner
    job = finished.job
    tags = {
        "dataset": job.dataset,
        "camera": job.camera,
        "method": job.method,
        "variant": job.variant,
        "seed": job.seed,
        "fingerprint": job.fingerprint,
        "frames_version": job.data_version,
        **read_provenance(finished.directory),
        "headline": finished.headline,
        "threshold": f"{finished.metrics['threshold']['value']:.4f}",
        "selected_on": choice.selected_on,
        "criterion": choice.criterion,
        "criterion_value": "" if choice.value is None else f"{choice.value:.6f}",
        **{key: f"{value:.4f}" for key, value in choice.reported.items()},
    }
    return {key: str(value) for key, value in tags.items()}


def model_card(choice: Choice) -> str:
    """Return the version's description in Markdown, which MLflow shows on the version's page.

    The reason why a version serves or not is in its tags, because it changes later (`flows.registry.versions`).

    Args:
        choice: the registered job, and the jobs that it was compared with.
    """
    finished = choice.winner
    job, threshold = finished.job, finished.metrics["threshold"]
    provenance = read_provenance(finished.directory)
    lines = [
        f"**{job.label}** on camera {job.camera} of {job.dataset}, "
        f"signal `{finished.headline}`, seed {job.seed}.",
        "",
        f"- Worth: {choice.worth}.",
        f"- Chosen on: {choice.selected_on}.",
        f"- Threshold: {threshold['value']:.2f} standard deviations above normal video, set for "
        f"{threshold['false_alarms_per_hour']:g} false alarms per hour on {threshold['hours'] * 60:.1f} "
        "minutes of held-out normal video, without labels"
        + (
            " (extrapolated: alarms this rare cannot be observed in so little video)."
            if threshold["extrapolated"]
            else "."
        ),
        f"- Input: a path, or frames of {job.frames}; output: one row per frame.",
        f"- Data {provenance['data_version']} (frames {job.data_version[:12]}), "
        f"code {provenance['git_commit'][:12]}, profile {job.profile}, fingerprint {job.fingerprint}.",
    ]
    if len(choice.compared) > 1:
        table = pd.DataFrame({choice.criterion: choice.compared, f"AUC, {PAPERS}": choice.papers})
        lines += ["", table.dropna(axis=1, how="all").rename_axis("method").to_markdown(floatfmt=".4f")]
    return "\n".join(lines)
