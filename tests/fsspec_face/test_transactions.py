"""The fsspec driver: transactions, and files without autocommit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lucidfs.limits import MIB
from lucidlink.fsspec import LucidLinkFileSystem
from tests.sdk import World

FS = LucidLinkFileSystem


@pytest.mark.parametrize("size", [10, 6 * MIB])
def test_a_transaction_publishes_all_at_its_end(driver: FS, shared: World, home: str, size: int) -> None:
    other = FS(token=shared.tokens["second"], hub=shared.hub.url)
    data = os.urandom(size)
    driver.pipe_file(f"{home}/old", b"old")
    with driver.transaction:
        with driver.open(f"{home}/new", "wb") as file:
            file.write(data)
            file.flush()
        with driver.open(f"{home}/old", "wb") as file:
            file.write(data)
        with driver.open(f"{home}/text", "w") as file:
            file.write("text")
        assert other.find(home) == [f"{home}/old"]
        assert other.cat_file(f"{home}/old") == b"old"
    assert other.cat_file(f"{home}/new") == other.cat_file(f"{home}/old") == data
    assert other.cat_file(f"{home}/text") == b"text"
    other.close()


def test_a_transaction_that_fails_leaves_nothing(driver: FS, home: str) -> None:
    driver.pipe_file(f"{home}/old", b"old")
    with pytest.raises(ZeroDivisionError), driver.transaction:
        for name in ("old", "new"):
            with driver.open(f"{home}/{name}", "wb") as file:
                file.write(os.urandom(5 * MIB))
        raise ZeroDivisionError
    assert driver.find(home) == [f"{home}/old"]
    assert driver.cat_file(f"{home}/old") == b"old"


def test_a_file_without_autocommit_waits_for_its_commit(driver: FS, home: str) -> None:
    file = driver.open(f"{home}/file", "wb", autocommit=False)
    file.write(b"data")
    file.close()
    assert not driver.exists(f"{home}/file")
    file.commit()
    assert driver.cat_file(f"{home}/file") == b"data"
    text = driver.open(f"{home}/text", "w", autocommit=False)
    text.write("text")
    text.close()
    assert not driver.exists(f"{home}/text")
    text.buffer.commit()
    assert driver.cat_file(f"{home}/text") == b"text"
    file = driver.open(f"{home}/file", "wb", autocommit=False)
    file.write(b"other")
    file.discard()
    assert driver.cat_file(f"{home}/file") == b"data"


@pytest.mark.parametrize("mode", ["wb", "ab", "r+b", "w", "a", "r+"])
def test_every_mode_that_writes_waits_for_the_end_of_its_transaction(driver: FS, home: str, mode: str) -> None:
    driver.pipe_file(f"{home}/file", b"old content")
    data: Any = b"new" if "b" in mode else "new"
    with driver.transaction:
        with driver.open(f"{home}/file", mode) as file:
            file.write(data)
        assert driver.cat_file(f"{home}/file") == b"old content"
    expected = {"w": b"new", "a": b"old contentnew", "r": b"new content"}
    assert driver.cat_file(f"{home}/file") == expected[mode[0]]


def test_whole_files_wait_for_the_end_of_their_transaction(driver: FS, home: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"put")
    with driver.transaction:
        driver.pipe_file(f"{home}/piped", b"first")
        driver.pipe_file(f"{home}/piped", b"second")
        driver.pipe({f"{home}/one": b"1", f"{home}/two": b"2"})
        driver.put(str(tmp_path / "file"), f"{home}/put")
        driver.touch(f"{home}/touched")
        assert driver.find(home) == []
    names = ("one", "piped", "put", "touched", "two")
    assert driver.cat(f"{home}/*") == dict(
        zip((f"{home}/{name}" for name in names), (b"1", b"second", b"put", b"", b"2"), strict=True)
    )


def test_a_transaction_ends_also_when_it_cannot_publish(driver: FS, home: str) -> None:
    driver.pipe_file(f"{home}/gone/x", b"")
    with pytest.raises(FileNotFoundError), driver.transaction:
        for path in ("first", "gone/file", "last"):
            with driver.open(f"{home}/{path}", "wb") as file:
                file.write(b"data")
        driver.rm(f"{home}/gone", recursive=True)
    assert driver.find(home) == [f"{home}/first"], "one after the other, up to the first that cannot be"
    driver.pipe_file(f"{home}/after", b"")
    assert driver.exists(f"{home}/after")
