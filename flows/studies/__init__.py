"""What do distortion, contamination, subsampling and another camera do to methods? A study is one file.

The way in is `runner.run_study`, the flow that runs any study. Every module here that assigns `STUDY` is a study and is
found automatically. Its name is that of the module, with hyphens, and the first line of its docstring describes it.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING, Any

from vad_models.errors import SettingsError

if TYPE_CHECKING:
    from flows.studies.study import Study

__all__ = ["load_study", "study_descriptions"]


def study_descriptions() -> dict[str, str]:
    """Return name -> first line of the docstring of each study, without an import, so that `vad --help` is quick."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        spec = module.module_finder.find_spec(module.name, None)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            continue
        tree = ast.parse(spec.loader.get_source(spec.name) or "")
        if any(_assigns_study(statement) for statement in tree.body):
            described = ast.get_docstring(tree) or ""
            found[module.name.replace("_", "-")] = described.split("\n")[0]
    return found


def load_study(name: str) -> Study[Any, Any]:
    """Load a study by its name.

    Raises:
        SettingsError: there is no such study.
    """
    from vad_models.settings_base import closest

    known = study_descriptions()
    if name not in known:
        raise SettingsError(f"there is no study {name!r}: {closest(name, known, 'flows/studies/')}")
    study: Study[Any, Any] = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").STUDY
    return study


def _assigns_study(statement: ast.stmt) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id == "STUDY" for target in targets)
