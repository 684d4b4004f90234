"""The hub's object folder is opened directly only by who has this very folder, as its owner, before him."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lucidfs.engine.nearby import open_folder
from lucidfs.objects.base import ObjectName
from lucidfs.objects.local import LocalStore
from lucidfs.types import FilespaceId, ObjectId

NAME = ObjectName(FilespaceId(1), ObjectId(2))


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return LocalStore(tmp_path / "objects").mark(os.urandom)


def test_a_marked_folder_is_opened(mark: Path) -> None:
    near = open_folder(str(mark))
    assert near is not None
    near.put(NAME, b"bytes")
    assert LocalStore(mark.parent / "objects").get(NAME, 0, 5) == b"bytes"


def test_each_run_has_a_mark_of_its_own(mark: Path) -> None:
    other = LocalStore(mark.parent / "other").mark(os.urandom)
    fresh = LocalStore(mark.parent / "objects").mark(os.urandom)
    assert fresh != mark
    assert not mark.exists()
    assert other.exists()
    assert open_folder(str(mark)) is None


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o722])
def test_a_folder_that_others_may_enter_is_not_used(mark: Path, mode: int) -> None:
    os.chmod(mark.parent / "objects", mode)
    assert open_folder(str(mark)) is None


def test_a_folder_or_mark_of_another_user_is_not_used(mark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    assert open_folder(str(mark)) is None


@pytest.mark.parametrize("told", ["", "/", "/tmp", "relative/.objects-" + 32 * "0", "/\0/.objects-" + 32 * "0"])
def test_what_is_no_mark_is_not_used(told: str) -> None:
    assert open_folder(told) is None


def test_links_are_not_followed(mark: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    (away / "objects").symlink_to(mark.parent / "objects")
    (away / mark.name).touch()
    assert open_folder(str(away / mark.name)) is None
    (away / "objects").unlink()
    (away / "objects").mkdir(mode=0o700)
    (away / mark.name).unlink()
    (away / mark.name).symlink_to(mark)
    assert open_folder(str(away / mark.name)) is None
