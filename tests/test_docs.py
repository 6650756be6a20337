"""README and docs: what they name exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from flows.cli import app
from vad_models.methods import method_class, method_names

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
HEADINGS = [
    "What it is",
    "Signals",
    "What differs from the paper",
    "How its settings were chosen",
    "Measured",
]


def commands(text: str, program: str) -> Iterator[list[str]]:
    """Arguments of every call of `program` in code, inline or indented by four spaces."""
    for code in [*re.findall(r"(?m)^    (.*)$", text), *re.findall(r"`([^`\n]+)`", text)]:
        try:
            words = shlex.split(code, comments=True)
        except ValueError:  # not a shell command
            continue
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words.pop(0)
        if words and words[0] == program:
            yield words[1:]


def unknown(words: list[str], command: Any) -> Iterator[str]:
    """The commands and options among `words` that `command` does not have."""
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for index, word in enumerate(words):
        if word.startswith("--"):
            if word.split("=")[0] not in {*options, "--help"}:
                yield f"{command.name} {word}"
        elif hasattr(command, "commands") and re.fullmatch("[a-z][a-z-]*", word):
            if word in command.commands:
                yield from unknown(words[index + 1 :], command.commands[word])
            else:
                yield word
            return


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_that_a_page_names_exist(page: Path) -> None:
    vad = typer.main.get_command(app)
    assert [fault for words in commands(page.read_text(), "vad") for fault in unknown(words, vad)] == []


def test_a_command_or_option_that_does_not_exist_is_found() -> None:
    text = "`vad trail x`\n\n    VAD_SLOTS=2 vad --debug bench scale campus --cost 3  # what it costs\n    vad doctor\n"
    found = [
        fault for words in commands(text, "vad") for fault in unknown(words, typer.main.get_command(app))
    ]
    assert sorted(found) == ["scale --cost", "trail"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_targets_of_make_that_a_page_names_exist(page: Path) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    named = {word for words in commands(page.read_text(), "make") for word in words if "=" not in word}
    assert sorted(named - targets) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    for link in links:
        path, _, anchor = link.partition("#")
        if not re.match("https?:", link):
            target = page.parent / path if path else page
            assert target.exists(), link
            if anchor:
                headings = re.findall(r"(?m)^#+ (.*)$", target.read_text())
                anchors = [re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings]
                assert anchor in anchors, link


@pytest.mark.parametrize("method", method_names())
def test_every_method_has_a_page_with_the_same_headings(method: str) -> None:
    text = (ROOT / "docs" / "methods" / f"{method}.md").read_text()
    assert text.startswith(f"# `{method}`\n")
    assert re.findall(r"(?m)^## (.*)$", text) == HEADINGS
    assert f"[`{method}`]({method}.md)" in (ROOT / "docs" / "methods" / "index.md").read_text()


@pytest.mark.parametrize("method", method_names())
def test_the_page_of_a_method_names_its_signals(method: str) -> None:
    cls = method_class(method)
    text = (ROOT / "docs" / "methods" / f"{method}.md").read_text()
    signals = text.partition("## Signals")[2].partition("## What differs")[0]
    assert [signal for signal in cls.signals if f"`{signal}`" not in signals] == []
    assert f"`{cls.headline}` (headline)" in signals


@pytest.mark.parametrize("package", ["flows", "vad_models"])
def test_the_architecture_names_every_folder(package: str) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text.partition(f"| folder of `{package}` | question |")[2].partition("\n\n")[0]
    folders = {file.parent.name for file in (ROOT / package).glob("*/__init__.py")}
    assert folders
    assert set(re.findall(r"(?m)^\| `([a-z]+)` \|", table)) == folders
