"""The quick start of the SDK that this one is compatible with, extracted from its document as code that runs.

The document is no part of the project: what uses this runs where its folder is (`../shared/seeds`, or LUCID_SEEDS) and
skips elsewhere. Only tokens and the names of workspaces and filespaces are replaced; files that the text takes for
given are made first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(os.environ.get("LUCID_SEEDS", ROOT.parent / "shared" / "seeds"))
CODE = re.compile(
    r"""^(\#|import\s|from\s.+\simport|with\s.+:$|for\s.+:$|if\s.+:$|try:|except\s.+:$|else:|[)\]}]+$
        |[\w.\[\]]+(,\s*\w+)*\s=\s|[\w.]+\(.*|@|raise\b|return\b|pass$|[A-Z]\w+Error,)""",
    re.VERBOSE,
)
HOLDERS = re.compile(r"^try:|^with lucidlink\.create_daemon")
BEGINNINGS = re.compile(r"^(#|print\(content\)|with |if |workspace =|filespace =|entries =|names =|info =|daemon\.)")
OPENERS = re.compile(r"^(with|for|if|try|except|else)\b.*:$")


def _quick_start() -> str:
    for path in sorted(FOLDER.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        if "Quick Start" in text[:20_000]:
            return text[text.index("Quick Start") :]
    pytest.skip(f"no quick start in {FOLDER}", allow_module_level=True)


def _depth_after(line: str, depth: int) -> int:
    """How many brackets are open after a line."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"|#.*", "", line)
    return max(0, depth + sum(map(bare.count, "([{")) - sum(map(bare.count, ")]}")))


def _is_code(line: str) -> bool:
    return bool(CODE.match(line)) and (not line.endswith(":") or bool(OPENERS.match(line)))


def _snippets(text: str) -> list[str]:
    """Runs of lines that are code. The document lost its indentation; `indented` gives it back."""
    found: list[list[str]] = [[]]
    depth = 0
    for line in text.splitlines():
        if depth > 0 or _is_code(line):
            found[-1].append(line)
            depth = _depth_after(line, depth)
        elif found[-1]:
            found.append([])
    return ["\n".join(_indented(lines)) for lines in found if lines]


def _indented(lines: list[str]) -> Iterator[str]:
    """Code without its indentation, indented again, as far as this document needs it.

    A block holds what follows up to a comment or a statement that starts something new; `try:` and a daemon's `with`
    hold such statements too, up to `except` or the end.
    """
    level = floor = depth = 0
    previous = ""
    for line in lines:
        if depth == 0:
            if OPENERS.match(previous):
                level += 1
                if HOLDERS.match(previous):
                    floor = level
            elif line.startswith("except"):
                level = floor = 0
            elif BEGINNINGS.match(line):
                level = floor
            previous = line
        yield "    " * level + line
        depth = _depth_after(line, depth)


def runnable(code: str, token: str, names: dict[str, str], place: str) -> str:
    """A snippet with its placeholders replaced, and nothing else.

    Args:
        code: the snippet.
        token: of an account that may do what it does.
        names: placeholder → filespace.
        place: the `workspace/filespace` of its URLs.
    """
    code = code.replace("sa_live:your_token_here", token).replace(
        "lucidlink://workspace/filespace/", f"lucidlink://{place}/"
    )
    for placeholder, name in names.items():
        code = code.replace(f'name="{placeholder}"', f'name="{name}"')
    return code


def snippets() -> list[str]:
    """Every snippet of the quick start that uses the SDK, in the document's order; skips where there is no document."""
    return [code for code in _snippets(_quick_start()) if "lucidlink" in code or "filespace" in code]
