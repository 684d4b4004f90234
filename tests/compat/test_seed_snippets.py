"""The quick start of the SDK that this one is compatible with, run as it stands (see tests/seeds.py)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import lucidlink
from tests.seeds import runnable, snippets
from tests.world import World

ELSEWHERE_TOO = re.compile(r"connect\.|S3DataStoreConfig")  # tests/s3 runs these
ELSEWHERE = re.compile(r"pandas|dask")  # tests/ecosystem runs these
SNIPPETS = [code for code in snippets() if not ELSEWHERE_TOO.search(code) and not ELSEWHERE.search(code)]
FILES = {  # what the text takes for given
    "/large_file.dat": b"large" * 100_000,
    "/document.txt": b"eins\nzwei\n",
    "/data.bin": bytes(range(256)) * 8,
    "/old_name.txt": b"renamed",
    "/config.json": b"{}",
    "/report.pdf": b"%PDF",
    "/data.csv": b"a,b\n",
    "/db.sqlite": b"old content",
    "/file.txt": b"downloaded",
    "/old.txt": b"moved",
}


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_snippet(
    world: World, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUCIDLINK_HUB", world.url)
    monkeypatch.chdir(tmp_path)
    names = {"production-data": world.name, "my-filespace": world.name, "data": world.new_filespace()}
    scope: dict[str, Any] = {"process": len, "updated_content": b"new content", "lucidlink": lucidlink}
    with lucidlink.create_daemon() as daemon:
        credentials = lucidlink.ServiceAccountCredentials(token=world.token)
        workspace = daemon.authenticate(credentials)
        filespace = workspace.link_filespace(name=world.name)
        for entry in filespace.fs.read_dir("/"):
            (filespace.fs.delete_dir if entry.is_dir() else filespace.fs.delete)(entry.name)
        for path, data in FILES.items():
            filespace.fs.write_file(path, data)
        filespace.fs.create_dir("/empty_dir")
        scope |= {"daemon": daemon, "credentials": credentials, "workspace": workspace, "filespace": filespace}
        code = runnable(SNIPPETS[number], world.token, names, f"{workspace.name}/{world.name}")
        exec(compile(code, f"<snippet {number}>", "exec"), scope)
        printed = capsys.readouterr().out
        assert "failed" not in printed
        assert "error" not in printed
        made = scope.get("daemon")
        if made is not None and made is not daemon:
            made.stop()


def test_all_parts_of_this_release_were_found() -> None:
    together = "\n".join(SNIPPETS)
    for word in (
        "create_daemon",
        "lock_type",
        "iter(lambda",
        "fs.mv(",
        "delete_dir",
        "list_filespaces",
        "SYNC_NONE",
        "except ",
    ):
        assert word in together
