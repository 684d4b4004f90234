"""Blindness, tried: what a client plants is found in nothing that the hub keeps, logs or sends on."""

from __future__ import annotations

import base64
import logging
import re
from pathlib import Path

import pytest

from lucidfs.testing.hubs import ProcessHub, new_data, new_hub
from lucidfs.types import Role
from tests.world import World, data_files

WORD = "canary-Zq7vXw"  # in every planted thing, so that any of them is found by it
CONTENT = f"content {WORD} ".encode()


def needles(*secrets: str) -> list[bytes]:
    """How a planted text could look in a file: plain, in hex, in base64 (each alignment), in UTF-16."""
    found = []
    for text in (WORD, *secrets):
        plain = text.encode()
        found += [plain, plain.hex().encode(), text.encode("utf-16-le")]
        for shift in range(3):
            inner = base64.b64encode(b"\0" * shift + plain)[4:-4]
            found += [inner, base64.urlsafe_b64encode(b"\0" * shift + plain)[4:-4]]
    return found


def plant(world: World) -> None:
    """Use every operation that carries content, names or targets."""
    with world.client(token=world.new_account(Role.WRITE)) as client:
        fs = client.fs
        fs.create_dir(f"/{WORD}-folder/{WORD}-inner")
        fs.write_file(f"/{WORD}-folder/{WORD}-small", CONTENT * 10)
        with fs.open(f"/{WORD}-large", "wb") as file:
            for number in range(200):
                file.write(CONTENT * 3000 + b"%d" % number)
        with fs.open(f"/{WORD}-large", "r+b", lock_type="exclusive") as file:
            file.seek(1_000_000)
            file.write(CONTENT)
        with fs.open(f"/{WORD}-log", "a") as log:
            print(WORD, file=log)
        fs.create_symlink(f"/{WORD}-target", f"/{WORD}-link")
        fs.move(f"/{WORD}-folder", f"/{WORD}-moved")
        fs.close(fs.create(f"/{WORD}-created"))
        for path in (f"/{WORD}-missing", f"/{WORD}-large/{WORD}"):
            with pytest.raises(OSError):
                fs.read_file(path)
        assert fs.read_file(f"/{WORD}-moved/{WORD}-small") == CONTENT * 10
    with world.client() as client:
        fs = client.fs
        assert CONTENT in fs.read_file(f"/{WORD}-large")
        fs.delete_dir(f"/{WORD}-moved", recursive=True)


def search(folder: Path, secrets: list[str]) -> list[str]:
    """Where any needle occurs in the files below a folder, or in their names."""
    pattern = re.compile(b"|".join(map(re.escape, needles(*secrets))), re.IGNORECASE)
    return [f"{path}" for path in data_files(folder) if pattern.search(path.read_bytes() + str(path).encode())]


def test_nothing_planted_is_found_in_the_hub(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hub, token = new_hub(tmp_path)
    try:
        world = World(hub, token)
        plant(world)
        secret = token.rpartition(":")[2]
        found = search(tmp_path, [secret])  # while it runs: also what stands in the write-ahead log
    finally:
        hub.stop()
    found += search(tmp_path, [secret])
    assert not found
    assert data_files(tmp_path)
    for text in (WORD, secret):
        assert text not in caplog.text


def test_nothing_planted_is_found_in_what_a_hub_process_leaves(tmp_path: Path) -> None:
    data, token = new_data(tmp_path)
    hub = ProcessHub(data)
    try:
        plant(World(hub, token))
        hub.kill()
        assert not search(data, [token.rpartition(":")[2]])
    finally:
        hub.stop()


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    for number, text in enumerate([CONTENT, base64.b64encode(b"xy" + CONTENT), CONTENT.hex().encode()]):
        (tmp_path / f"file-{number}").write_bytes(b"\0\1" + text + b"\2")
    (tmp_path / f"name-{WORD}").touch()
    assert len(search(tmp_path, [])) == 4
