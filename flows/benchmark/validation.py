"""Validation of the manifest with Great Expectations, before anything is trained.

`flows.benchmark.rules` lists the rules; this module builds the tables that they apply to, and checks them.
"""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from flows.benchmark.data_docs import make_offline
from flows.benchmark.rules import KEYS, Rule, rules_of
from flows.execution.slots import cores
from flows.project.paths import Paths
from flows.project.project import open_raw
from vad_models.data.files import write_json
from vad_models.data.layouts import expected_counts
from vad_models.data.manifest import inspect, write_manifest
from vad_models.data.parallel import progress_bar
from vad_models.errors import DataError

__all__ = ["Violation", "check", "validate"]


@dataclass(frozen=True)
class Violation:
    """A row that breaks a rule: the name of the rule, and a phrase that says what is wrong where."""

    rule: str
    phrase: str


def validate(paths: Paths, dataset: str) -> Path:
    """Decode the whole dataset, check it, and write manifest, report and data docs; returns the manifest.

    Raises:
        DataError: a rule is broken. Report and data docs are written, but not the manifest, so no later stage runs.
    """
    raw = open_raw(paths, dataset)
    folder = paths.validation / dataset
    (folder / "manifest.parquet").unlink(missing_ok=True)
    with progress_bar(f"inspecting {dataset}") as progress:
        manifest = inspect(raw, cores(), progress)
    violations = check(manifest, dataset, folder / "docs")
    write_json(
        folder / "report.json",
        {
            "dataset": dataset,
            "videos": len(manifest),
            "frames": int(manifest["frames"].sum()),
            "violations": [{"rule": one.rule, "violation": one.phrase} for one in violations],
        },
    )
    if violations:
        others = f"; {len(violations) - 1} more are listed" if len(violations) > 1 else "; it is shown"
        where = f"{paths.validation.name}/{dataset}/docs/index.html"
        raise DataError(
            f"{dataset} breaks the rule '{violations[0].rule}': {violations[0].phrase}{others} in {where}."
        )
    write_manifest(manifest, folder / "manifest.parquet")
    return folder / "manifest.parquet"


def check(manifest: pd.DataFrame, dataset: str, docs: Path) -> list[Violation]:
    """Check a manifest against every rule and write data docs; returns the violations, in the order of the rules."""
    tables = {"videos": manifest, "cameras": _by_camera(manifest), "dataset": _overall(manifest, dataset)}
    rules = rules_of(expected_counts(dataset), tables["cameras"])
    broken = _run(rules, tables, docs)
    return [
        Violation(rule.name, rule.phrase.format(**row))
        for rule, rows in zip(rules, broken, strict=True)
        for row in rows
    ]


def _by_camera(manifest: pd.DataFrame) -> pd.DataFrame:
    """Build one row per camera: videos of each split, test frames, abnormal frames, distinct frame sizes."""
    rows = []
    for camera, videos in manifest.groupby("camera", sort=True):
        test = videos[videos["split"] == "test"]
        sizes = sorted({f"{row.width}x{row.height}" for row in videos.itertuples() if row.frames})
        rows.append(
            {
                "camera": camera,
                "train_videos": int((videos["split"] == "train").sum()),
                "test_videos": len(test),
                "test_frames": int(test["frames"].sum()),
                "abnormal_frames": int(videos["abnormal_frames"].sum()),
                "frame_sizes": len(sizes),
                "sizes": " and ".join(sizes),
            }
        )
    return pd.DataFrame(rows)


def _overall(manifest: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Build one row with counts of the dataset. Without labels, the abnormal share is NaN, which expectations skip."""
    train, test = (manifest[manifest["split"] == split] for split in ("train", "test"))
    labelled = int(test.loc[test["labelled"], "frames"].sum())
    abnormal = int(test["abnormal_frames"].sum())
    return pd.DataFrame(
        [
            {
                "dataset": dataset,
                "cameras": manifest["camera"].nunique(),
                "train_videos": len(train),
                "train_frames": int(train["frames"].sum()),
                "test_videos": len(test),
                "test_frames": int(test["frames"].sum()),
                "abnormal_frames": abnormal,
                "abnormal_share": abnormal / labelled if labelled else math.nan,
            }
        ]
    )


def _run(rules: Sequence[Rule], tables: dict[str, pd.DataFrame], docs: Path) -> list[list[dict[str, Any]]]:
    """Return the rows that break each rule, and write data docs to `docs`."""
    import great_expectations as gx

    # At INFO, Great Expectations logs the temporary folder of every context.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    shutil.rmtree(docs, ignore_errors=True)
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs.absolute())}
    site = {"class_name": "SiteBuilder", "show_how_to_buttons": False, "store_backend": store}
    context.update_data_docs_site(
        "local_site", {**site, "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"}}
    )
    source = context.data_sources.add_pandas("manifest")
    broken: dict[int, list[dict[str, Any]]] = {}
    for name, table in tables.items():
        mine = [index for index, rule in enumerate(rules) if rule.table == name]
        expectations = [rules[index].expectation for index in mine]
        for index in mine:
            rules[index].expectation.notes = rules[index].name
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(name=name, data=batch, suite=suite)
        )
        outcome = definition.run(
            batch_parameters={"dataframe": table},
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": KEYS[name]},
        )
        # Results come in a different order; the id of an expectation identifies its rule.
        by_id = {result.expectation_config.id: result for result in outcome.results}
        for index, expectation in zip(mine, suite.expectations, strict=True):
            broken[index] = _broken_rows(by_id[expectation.id], table, KEYS[name])
    context.build_data_docs()
    make_offline(docs)
    return [broken[index] for index in range(len(rules))]


def _broken_rows(result: Any, table: pd.DataFrame, keys: list[str]) -> list[dict[str, Any]]:
    """Return the rows of `table` that a failed expectation names."""
    if result.success:
        return []
    if "unexpected_index_list" not in result.result:
        raise RuntimeError(
            f"Great Expectations could not check {result.expectation_config.type}: {result.exception_info}"
        )
    named = {tuple(entry[key] for key in keys) for entry in result.result["unexpected_index_list"]}
    rows: list[dict[str, Any]] = table.to_dict("records")
    return [row for row in rows if tuple(row[key] for key in keys) in named]
