"""Blindness of a hub in a process of its own: nothing planted is in its files and backups, its output and metrics, its
wire or its memory.

What is planted: names, contents, a link target, and the secrets of two tokens. The search also looks for what the hub
may know (a filespace's name, a node's token), so that finding nothing else means something.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from lucidfs.crypto.token import Token
from lucidfs.testing.hubs import ProcessHub, new_data
from lucidfs.types import Role
from lucidlink import Filesystem
from tests.integration.test_canary import CONTENT, WORD, needles, plant
from tests.integration.test_wire_canary import Tap, unmasked
from tests.world import World, data_files


class Search:
    """Looks for the planted texts, and for each token's secret as text and as bytes."""

    def __init__(self, tokens: list[str]) -> None:
        secrets = [Token.parse(token).secret for token in tokens]
        texts = needles(*(token.rpartition(":")[2] for token in tokens))
        self._needles = list(dict.fromkeys([*texts, *secrets, *(secret.hex().encode() for secret in secrets)]))

    def __call__(self, part: bytes) -> list[bytes]:
        """What of it is there. Plain searches: a pattern with this many branches takes a minute for a core dump."""
        return [needle for needle in self._needles if needle in part]


def memory(pid: int) -> Iterator[bytes]:
    """All that a process has in memory: by gcore where that is, else as its own parent may read it."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            place, rights, *_ = line.split()
            if "r" not in rights or "[v" in line:
                continue
            start, end = (int(part, 16) for part in place.split("-"))
            try:
                mem.seek(start)
                yield mem.read(end - start)
            except (OSError, ValueError, OverflowError):
                continue  # a guard page


def dumped(pid: int, folder: Path) -> list[bytes]:
    """The memory of a process."""
    if shutil.which("gcore"):
        subprocess.run(["gcore", "-o", str(folder / "core"), str(pid)], check=False, capture_output=True, timeout=60)
        cores = list(folder.glob("core.*"))
        if cores:
            return [cores[0].read_bytes()]
    return list(memory(pid))


def use_all(fs: Filesystem) -> None:
    """Reads, listings, a search for what is not there, a copy, and an error."""
    fs.write_file(f"/{WORD}-last", CONTENT * 20)
    with fs.open(f"/{WORD}-big", "wb") as file:
        file.write(CONTENT * 400_000)
    fs.create_symlink(f"/{WORD}-where/{WORD}", f"/{WORD}-link-last")
    assert fs.read_symlink(f"/{WORD}-link-last") == f"/{WORD}-where/{WORD}"
    assert fs.read_file(f"/{WORD}-last") == CONTENT * 20
    assert any(WORD in entry.name for entry in fs.read_dir("/"))
    assert not fs.file_exists(f"/{WORD}-nowhere")
    with pytest.raises(OSError):
        fs.create_dir(f"/{WORD}-last")


def test_nothing_planted_is_in_a_hubs_files_words_wire_or_memory(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, admin = new_data(tmp_path / "kept")
    hub = ProcessHub(data)
    url = urlsplit(hub.url)
    tap = Tap((url.hostname or "", url.port or 0))
    hub.url = f"http://127.0.0.1:{tap.port}"
    try:
        world = World(hub, admin)
        worker = world.new_account(Role.WRITE)
        plant(world)
        with world.client(token=worker) as client:
            use_all(client.fs)
            with urlopen(f"{hub.url}/metrics", timeout=30) as answer:
                metrics = answer.read()
            core = dumped(hub.pid, tmp_path)
        back_up = [sys.executable, "-m", "lucidfs.cli", "hub", "backup", str(tmp_path / "backup"), "--data", str(data)]
        subprocess.run(back_up, check=True, capture_output=True, timeout=60)
        search = Search([admin, worker])
        kept = {path: path.read_bytes() for path in data_files(data)}
        assert any("wal" in path.name for path in kept), "the write-ahead log was looked at"
        assert sum(len(content) for path, content in kept.items() if "objects" in str(path)) > 1000
    finally:
        hub.stop()
        tap.close()
    streams = [unmasked(bytes(stream)) for stream in tap.streams]
    written = "".join(capfd.readouterr()).encode()
    assert not [path for path, content in kept.items() if search(content + str(path).encode())]
    assert not [path for path in data_files(data) if search(path.read_bytes())]
    backup = data_files(tmp_path / "backup")
    assert len(backup) > 1
    assert not [path for path in backup if search(path.read_bytes())]
    assert not search(metrics)
    assert not search(written)
    assert not [found for stream in streams if (found := search(stream))]
    known = [world.name.encode(), b"gateway-key"]
    for each in known:
        assert any(each in part for part in core), "what the hub knows is found in its memory, so it was looked at"
    assert not [found for part in core if (found := search(part))]


def test_the_search_would_find_it_in_memory(tmp_path: Path) -> None:
    child = subprocess.Popen(
        ["python3", "-c", f"word = b'{WORD[:5]}' + b'{WORD[5:]}'; print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        assert any(WORD.encode() in part for part in dumped(child.pid, tmp_path))
    finally:
        child.communicate(b"\n")
