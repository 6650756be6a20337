"""Rules for a dataset's manifest, as expectations of Great Expectations.

A rule is one expectation on one table, with a phrase that says what is wrong with a row that breaks it. The tables are
the manifest itself, and its summaries per camera and for the whole dataset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vad_models.data.layouts import ExpectedCounts

__all__ = ["KEYS", "Rule", "rules_of"]

KEYS = {"videos": ["camera", "split", "video"], "cameras": ["camera"], "dataset": ["dataset"]}
"""Tables and the columns that name their rows."""


@dataclass(frozen=True)
class Rule:
    """An expectation on a table, with a phrase that says what is wrong with a row; column names are in braces."""

    name: str
    table: str
    expectation: Any
    phrase: str


def rules_of(expected: ExpectedCounts | None, cameras: pd.DataFrame) -> list[Rule]:
    """Return the rules for any dataset, followed by the published counts of a known one."""
    import great_expectations.expectations as gxe

    video = "{split} video {video} of camera {camera}"
    rules = [
        Rule(
            "every frame is readable",
            "videos",
            gxe.ExpectColumnValuesToBeInSet(column="unreadable", value_set=[""]),
            f"{video} cannot be read, {{unreadable}}",
        ),
        Rule(
            "no video is empty",
            "videos",
            gxe.ExpectColumnValuesToBeBetween(column="frames", min_value=1),
            f"{video} has no frames",
        ),
        Rule(
            "a video has a label for every frame",
            "videos",
            gxe.ExpectColumnPairValuesToBeEqual(
                column_A="label_frames",
                column_B="frames",
                row_condition="labelled==True",
                condition_parser="pandas",
            ),
            f"{video} has {{label_frames}} labels for {{frames}} frames",
        ),
        Rule(
            "no more frames are abnormal than there are",
            "videos",
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A="frames", column_B="abnormal_frames", or_equal=True
            ),
            f"{video} has {{abnormal_frames}} abnormal frames of {{frames}}",
        ),
        Rule(
            "a video is listed once",
            "videos",
            gxe.ExpectCompoundColumnsToBeUnique(column_list=KEYS["videos"]),
            f"{video} is listed more than once",
        ),
        Rule(
            "a video is for training or for testing",
            "videos",
            gxe.ExpectColumnValuesToBeInSet(column="split", value_set=["train", "test"]),
            "video {video} of camera {camera} belongs to {split!r}, which is neither",
        ),
        Rule(
            "a camera has one frame size",
            "cameras",
            gxe.ExpectColumnValuesToBeBetween(column="frame_sizes", max_value=1),
            "camera {camera} has videos of {sizes}",
        ),
        Rule(
            "a camera has training video",
            "cameras",
            gxe.ExpectColumnValuesToBeBetween(column="train_videos", min_value=1),
            "camera {camera} has {test_videos} test videos and none to train on",
        ),
        Rule(
            "labelled test video holds both classes",
            "dataset",
            gxe.ExpectColumnValuesToBeBetween(
                column="abnormal_share", min_value=0, max_value=1, strict_min=True, strict_max=True
            ),
            "{abnormal_frames} of {test_frames} test frames are abnormal",
        ),
    ]
    return rules if expected is None else rules + _counts(expected, cameras)


def _counts(expected: ExpectedCounts, cameras: pd.DataFrame) -> list[Rule]:
    """Return rules for the published counts, for the whole dataset and per camera."""
    import great_expectations.expectations as gxe

    overall: dict[str, Sequence[int]] = {
        "train_videos": (expected.train_videos,),
        "train_frames": (expected.train_frames,),
        "test_videos": (expected.test_videos,),
        "test_frames": expected.test_frames,
        "abnormal_frames": expected.abnormal,
    }
    if expected.per_camera:
        overall["cameras"] = (len(expected.per_camera),)
    rules = [
        Rule(
            f"as many {column.replace('_', ' ')} as published",
            "dataset",
            gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(published)),
            f"there are {{{column}}}, but {' or '.join(map(str, published))} are published",
        )
        for column, published in overall.items()
    ]
    for camera in sorted(set(expected.per_camera) & set(cameras["camera"])):
        published = expected.per_camera[camera]
        for column, count in (
            ("train_videos", published.train_videos),
            ("test_videos", published.test_videos),
        ):
            rules.append(
                Rule(
                    f"as many {column.replace('_', ' ')} of camera {camera} as published",
                    "cameras",
                    gxe.ExpectColumnValuesToBeInSet(
                        column=column,
                        value_set=[count],
                        row_condition=f'camera=="{camera}"',
                        condition_parser="pandas",
                    ),
                    f"camera {{camera}} has {{{column}}}, but {count} are published",
                )
            )
    return rules
