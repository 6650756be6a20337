"""The rules of a manifest, before Great Expectations runs them."""

from __future__ import annotations

import pandas as pd

from flows.benchmark.rules import KEYS, rules_of
from vad_models.data.layouts import expected_counts


def test_every_rule_is_about_a_table_that_there_is() -> None:
    rules = rules_of(expected_counts("ucsd_ped2"), pd.DataFrame({"camera": ["01"]}))
    assert {rule.table for rule in rules} <= set(KEYS)
    assert len({rule.name for rule in rules}) == len(rules)


def test_a_known_dataset_has_the_published_counts_as_rules() -> None:
    cameras = pd.DataFrame({"camera": ["01"]})
    any_dataset = {rule.name for rule in rules_of(None, cameras)}
    known = {rule.name for rule in rules_of(expected_counts("ucsd_ped2"), cameras)}
    assert any_dataset < known
    assert "as many test frames as published" in known - any_dataset
