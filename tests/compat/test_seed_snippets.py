"""The quick start of the SDK that this one is compatible with, extracted from its document and run as it stands.

The document is no part of the project: these tests run where its folder is (`../shared/seeds`, or LUCID_SEEDS) and
skip elsewhere. Only tokens and filespace names are replaced; files that the text takes for given are made first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lucidlink
from tests.world import World

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("LUCID_SEEDS", ROOT.parent / "shared" / "seeds"))
LATER = re.compile(r"fsspec|pandas|dask|connect\.|S3DataStoreConfig")  # parts that are not in this release
CODE = re.compile(
    r"""^(\#|import\s|from\s.+\simport|with\s.+:$|for\s.+:$|if\s.+:$|try:|except\s.+:$|else:|[)\]}]+$
        |[\w.\[\]]+(,\s*\w+)*\s=\s|[\w.]+\(.*|@|raise\b|return\b|pass$|[A-Z]\w+Error,)""",
    re.VERBOSE,
)
HOLDERS = re.compile(r"^try:|^with lucidlink\.create_daemon")
BEGINNINGS = re.compile(r"^(#|print\(content\)|with |if |workspace =|filespace =|entries =|names =|info =|daemon\.)")
OPENERS = re.compile(r"^(with|for|if|try|except|else)\b.*:$")


def quick_start() -> str:
    for path in sorted(FOLDER.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        if "Quick Start" in text[:20_000]:
            return text[text.index("Quick Start") :]
    pytest.skip(f"no quick start in {FOLDER}", allow_module_level=True)


def depth_after(line: str, depth: int) -> int:
    """How many brackets are open after a line."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"|#.*", "", line)
    return max(0, depth + sum(map(bare.count, "([{")) - sum(map(bare.count, ")]}")))


def is_code(line: str) -> bool:
    return bool(CODE.match(line)) and (not line.endswith(":") or bool(OPENERS.match(line)))


def snippets(text: str) -> list[str]:
    """Runs of lines that are code. The document lost its indentation; `indented` gives it back."""
    found: list[list[str]] = [[]]
    depth = 0
    for line in text.splitlines():
        if depth > 0 or is_code(line):
            found[-1].append(line)
            depth = depth_after(line, depth)
        elif found[-1]:
            found.append([])
    return ["\n".join(indented(lines)) for lines in found if lines]


def indented(lines: list[str]) -> Iterator[str]:
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
        depth = depth_after(line, depth)


def runnable(code: str, token: str, names: dict[str, str]) -> str:
    """The snippet with its placeholders replaced, and nothing else."""
    code = code.replace("sa_live:your_token_here", token)
    for placeholder, name in names.items():
        code = code.replace(f'name="{placeholder}"', f'name="{name}"')
    return code


TEXT = quick_start()
SNIPPETS = [code for code in snippets(TEXT) if ("lucidlink" in code or "filespace" in code) and not LATER.search(code)]
FILES = {  # what the text takes for given
    "/large_file.dat": b"large" * 100_000,
    "/document.txt": b"eins\nzwei\n",
    "/data.bin": bytes(range(256)) * 8,
    "/old_name.txt": b"renamed",
    "/config.json": b"{}",
    "/report.pdf": b"%PDF",
    "/data.csv": b"a,b\n",
    "/db.sqlite": b"old content",
}


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_snippet(
    world: World, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUCIDLINK_HUB", world.url)
    monkeypatch.chdir(tmp_path)
    names = {"production-data": world.name, "my-filespace": world.name, "data": world.new_filespace()}
    code = runnable(SNIPPETS[number], world.token, names)
    scope: dict[str, Any] = {"process": len, "updated_content": b"new content", "lucidlink": lucidlink}
    with lucidlink.create_daemon() as daemon:
        credentials = lucidlink.ServiceAccountCredentials(token=world.token)
        workspace = daemon.authenticate(credentials)
        filespace = workspace.link_filespace(name=world.name)
        for entry in filespace.fs.read_dir("/"):
            (filespace.fs.delete_dir if entry.is_dir() else filespace.fs.delete)(entry.name)
        for path, data in FILES.items():
            filespace.fs.write_file(path, data)
        scope |= {"daemon": daemon, "credentials": credentials, "workspace": workspace, "filespace": filespace}
        exec(compile(code, f"<snippet {number}>", "exec"), scope)
        printed = capsys.readouterr().out
        assert "failed" not in printed
        assert "error" not in printed
        made = scope.get("daemon")
        if made is not None and made is not daemon:
            made.stop()


def test_all_parts_of_this_release_were_found() -> None:
    together = "\n".join(SNIPPETS)
    for word in ("create_daemon", "lock_type", "iter(lambda", "delete_dir", "list_filespaces", "SYNC_NONE", "except "):
        assert word in together
