"""Great Expectations' data docs for use without the network; their pages load scripts and styles from several hosts."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["make_offline"]

_REMOTE = re.compile(
    r"url\([\"']?https?://[^)]*\)|<script[^>]*\bsrc=[\"']https?://[^>]*>\s*</script>|<(?:link|img)[^>]*\b(?:href|src)=[\"']https?://[^>]*>",
    re.IGNORECASE,
)

_STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2530; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
a { color: #0b5cad; } h1, h2, h3, h4 { line-height: 1.25; } ul { padding-left: 1.2rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { border-bottom: 1px solid #d5dbe2; padding: .35rem .8rem; text-align: left; vertical-align: top; }
th { background: #f2f5f8; } .badge { border-radius: .3rem; padding: .1rem .4rem; background: #e4e9ee; }
.show-scrollbars, .table-responsive { overflow-x: auto; } .modal, .d-none, .navbar-toggler { display: none; }
.text-success { color: #17733a; } .text-danger { color: #b3261e; } .nav { list-style: none; padding: 0; }
</style>"""


def make_offline(docs: Path) -> None:
    """Remove every remote script, style and picture from the pages below `docs`, and add a local style."""
    for page in docs.rglob("*.html"):
        html = _REMOTE.sub("", page.read_text(encoding="utf-8"))
        page.write_text(html.replace("</head>", f"{_STYLE}</head>", 1), encoding="utf-8")
