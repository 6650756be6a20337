"""The list of datasets that `dvc repro` runs: `benchmark.datasets` in `params.yaml`."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

from vad_models.data.files import atomic_path

__all__ = ["list_dataset"]


def list_dataset(root: Path, name: str) -> list[str]:
    """Add dataset `name` to the list, and leave out those that have no folder in `data/`; returns what was left out.

    Comments and order of the file are kept.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # no line is broken
    yaml.indent(mapping=2, sequence=4, offset=2)
    file = root / "params.yaml"
    params = yaml.load(file.read_text(encoding="utf-8"))
    listed = params["benchmark"]["datasets"]
    dropped = [other for other in listed if other != name and not (root / "data" / other).is_dir()]
    for other in dropped:
        listed.remove(other)
    if name not in listed:
        listed.append(name)
    elif not dropped:
        return []
    with atomic_path(file) as temporary, temporary.open("w", encoding="utf-8") as stream:
        yaml.dump(params, stream)
    return dropped
