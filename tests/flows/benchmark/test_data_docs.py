"""Data docs without the network: what is taken out of a page, and what stays.

That the pages of Great Expectations ask nothing of the network is tested in test_validation.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.benchmark.data_docs import make_offline


def offline(folder: Path, body: str, head: str = "<title>t</title>") -> str:
    """The page with this head and body, once it was made fit to be read offline."""
    page = folder / "index.html"
    page.write_text(f"<html><head>{head}</head><body>{body}</body></html>", encoding="utf-8")
    make_offline(folder)
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "remote",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<script defer src="http://cdn.example/x.js" crossorigin="anonymous">\n</script>',
        "<SCRIPT SRC='https://cdn.example/x.js'></SCRIPT>",
        '<link rel="stylesheet" href="https://cdn.example/x.css"/>',
        '<link\n  href="https://cdn.example/x.css"\n  rel="stylesheet">',
        '<img alt="logo" src="https://cdn.example/x.png">',
    ],
)
def test_what_is_loaded_from_elsewhere_is_taken_out(tmp_path: Path, remote: str) -> None:
    page = offline(tmp_path, f"<p>before</p>{remote}<p>after</p>")
    assert "cdn.example" not in page
    assert "<p>before</p><p>after</p>" in page


@pytest.mark.parametrize("quote", ['"', "'", ""])
def test_a_style_loads_no_picture_from_elsewhere(tmp_path: Path, quote: str) -> None:
    page = offline(tmp_path, f'<p style="background: url({quote}https://cdn.example/x.png{quote}) red">x</p>')
    assert "cdn.example" not in page and "red" in page


@pytest.mark.parametrize(
    "local",
    [
        '<a href="https://docs.example/rule">the rule</a>',
        '<script src="static/x.js"></script>',
        '<script>var page = "https://docs.example";</script>',
        '<link rel="stylesheet" href="static/x.css">',
        '<img src="data:image/png;base64,AAAA">',
    ],
)
def test_links_and_what_lies_next_to_the_page_stay(tmp_path: Path, local: str) -> None:
    assert local in offline(tmp_path, local)


def test_every_page_gets_one_style_of_its_own(tmp_path: Path) -> None:
    deep = tmp_path / "expectations/suite"
    deep.mkdir(parents=True)
    (deep / "page.html").write_text("<head></head>Größe </head>", encoding="utf-8")
    (deep / "data.json").write_text("<head></head>", encoding="utf-8")
    assert offline(tmp_path, "x").count("<style>") == 1
    page = (deep / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<head><style>") and page.count("<style>") == 1 and "Größe" in page
    assert (deep / "data.json").read_text(encoding="utf-8") == "<head></head>"
