"""The store in a folder keeps the contract, and what docs/FORMAT.md says of its files."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.objects.base import ObjectName, ObjectStore
from lucidfs.objects.local import LocalStore
from lucidfs.testing.store_suite import BODY, NAME, OTHER, StoreSuite


class TestLocalStore(StoreSuite):
    durable = True

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[LocalStore]:
        store = LocalStore(tmp_path / "objects")
        yield store
        store.close()

    def reopened(self, store: ObjectStore) -> LocalStore:
        assert isinstance(store, LocalStore)
        return LocalStore(store._root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "objects"


def place(root: Path, name: ObjectName) -> Path:
    spread = hashlib.sha256(name.object.to_bytes(8, "big")).hexdigest()[:2]
    return root / f"{name.filespace:016x}" / spread / f"{name.object:016x}"


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def test_objects_stand_where_the_format_says_and_are_private(root: Path) -> None:
    LocalStore(root).put(NAME, BODY)
    assert files(root) == [place(root, NAME)]
    assert place(root, NAME).read_bytes() == BODY
    assert stat.S_IMODE(place(root, NAME).stat().st_mode) == 0o600
    for folder in (root, *place(root, NAME).parents[:2]):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_nothing_but_the_object_stays_after_a_repeat_or_a_refusal(root: Path) -> None:
    store = LocalStore(root)
    store.put(NAME, BODY)
    store.put(NAME, BODY)
    with pytest.raises(FileExistsError):
        store.put(NAME, BODY[1:])
    assert files(root) == [place(root, NAME)]


def test_a_put_that_fails_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(root)
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        store.put(NAME, BODY)
    assert files(root) == []


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, Code.NO_SPACE), (errno.EDQUOT, Code.NO_SPACE), (errno.EROFS, Code.DENIED)],
)
def test_a_full_or_forbidden_disk_is_permanent(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: Code
) -> None:
    store = LocalStore(root)
    monkeypatch.setattr(os, "write", failing(number))
    with pytest.raises(Fault) as caught:
        store.put(NAME, BODY)
    assert caught.value.code is code
    assert not caught.value.passing
    assert files(root) == []


def failing(number: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


def test_short_writes_and_reads_go_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, pread = os.write, os.pread
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:1000]))
    monkeypatch.setattr(os, "pread", lambda file, length, offset: pread(file, min(length, 777), offset))
    store = LocalStore(root)
    store.put(NAME, [BODY, BODY])
    assert store.get(NAME, 5, 2 * len(BODY) - 5) == (BODY + BODY)[5:]


def test_everything_is_on_disk_before_put_returns(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def note(file: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{file}"))
        fsync(file)

    if not os.path.exists("/proc/self/fd"):
        pytest.skip("needs /proc to tell which file is synced")
    store = LocalStore(root)
    monkeypatch.setattr(os, "fsync", note)
    store.put(NAME, BODY)
    folder = place(root, NAME).parent
    assert synced[:-2] == [str(path) for path in (root.parent, root, folder.parent)]  # entries of new folders
    assert Path(synced[-2]).parent == folder  # the bytes, before they have their name
    assert synced[-1] == str(folder)  # the name
    synced.clear()
    store.put(OTHER if place(root, OTHER).parent == folder else NAME, BODY)
    assert len(synced) == 2  # the folders are known now
    store.delete(NAME)
    assert synced[2:] == [str(folder)]


def test_unfinished_puts_are_no_objects_and_can_be_removed(root: Path) -> None:
    store = LocalStore(root)
    store.put(NAME, BODY)
    unfinished = place(root, NAME).with_name(".123-0")
    unfinished.write_bytes(b"part")
    (place(root, NAME).parent / "stray").write_bytes(b"not an object")
    assert [entry.name for entry in store.list(NAME.filespace)] == [NAME]
    assert store.remove_unfinished() == 1
    assert not unfinished.exists()
    assert store.get(NAME, 0, len(BODY)) == BODY


def test_puts_under_way_are_not_taken_for_unfinished(root: Path) -> None:
    store = LocalStore(root)
    store.put(NAME, BODY)
    for number, written_ns in enumerate((100, 200)):
        path = place(root, NAME).with_name(f".123-{number}")
        path.write_bytes(b"part")
        os.utime(path, ns=(written_ns, written_ns))
    assert store.remove_unfinished(200) == 1
    assert place(root, NAME).with_name(".123-1").exists()


def test_strangers_are_told(root: Path) -> None:
    store = LocalStore(root)
    assert list(store.strangers()) == []
    store.put(NAME, BODY)
    place(root, NAME).with_name(".123-0").write_bytes(b"part")
    assert list(store.strangers()) == []
    strangers = [
        root / "README",
        place(root, NAME).parent.parent / "file",
        place(root, NAME).with_name("stray"),
        place(root, NAME).parent.parent / "zz" / place(root, NAME).name,
    ]
    for path in strangers:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"not ours")
    assert sorted(store.strangers()) == sorted(strangers)


def test_a_name_left_by_a_crashed_process_of_the_same_number_is_passed_over(root: Path) -> None:
    store = LocalStore(root)
    place(root, NAME).parent.mkdir(parents=True)
    place(root, NAME).with_name(f".{os.getpid()}-0").write_bytes(b"part")
    store.put(NAME, BODY)
    assert store.get(NAME, 0, len(BODY)) == BODY


def test_a_truncated_file_is_noticed(root: Path) -> None:
    store = LocalStore(root)
    store.put(NAME, BODY)
    os.truncate(place(root, NAME), len(BODY) - 1)
    with pytest.raises(EOFError):
        store.get(NAME, 0, len(BODY))


def test_the_root_must_be_reachable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        LocalStore(tmp_path / "file" / "objects")
