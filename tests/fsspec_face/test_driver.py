"""The fsspec driver where fsspec's own suites do not look: options, sharing, streams, ranges, threads, fork."""

from __future__ import annotations

import errno
import io
import os
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context, resource_tracker
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.callbacks import Callback
from fsspec.generic import rsync

import lucidlink
from lucidfs.limits import FRAME_BYTES, MIB
from lucidlink.fsspec import LucidLinkFileSystem
from tests.sdk import World

FS = LucidLinkFileSystem


# --- paths and options


@pytest.mark.parametrize(
    ("given", "stripped"),
    [
        ("lucidlink://demo/data/a/b.txt", "demo/data/a/b.txt"),
        ("lucidlink://data.demo/a/b.txt", "demo/data/a/b.txt"),
        ("data.demo/a", "demo/data/a"),
        ("demo/data/", "demo/data"),
        ("/demo/data//a/./b/", "demo/data/a/b"),
        ("lucidlink://", ""),
        ("demo/data/a.b/c", "demo/data/a.b/c"),
        (Path("demo/data/x"), "demo/data/x"),
        (["demo/data/x", "lucidlink://demo/data/y"], ["demo/data/x", "demo/data/y"]),
    ],
)
def test_every_form_of_a_path_means_the_same(given: Any, stripped: Any) -> None:
    assert FS._strip_protocol(given) == stripped


def test_a_url_needs_nothing_but_the_installation(shared: World, driver: FS, home: str) -> None:
    options = {"token": shared.tokens["admin"], "hub": shared.hub.url}
    with fsspec.open(f"lucidlink://{home}/file.txt", "wt", **options) as file:
        file.write("héllo\n")
    with fsspec.open(f"lucidlink://{home}/file.txt", "rt", **options) as file:
        assert file.read() == "héllo\n"
    assert fsspec.filesystem("lucidlink", **options) is fsspec.filesystem("lucidlink", **options)
    fsspec.filesystem("lucidlink", **options).close()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"token": ""}, "token"),
        ({"token": "nonsense"}, "token"),
        ({"sandboxed": "yes"}, "sandboxed"),
        ({"sync_mode": "some"}, "sync_mode"),
        ({"tokn": "x"}, "tokn"),
    ],
)
def test_a_wrong_option_is_named(shared: World, options: dict[str, Any], named: str) -> None:
    with pytest.raises(lucidlink.ConfigurationError, match=f"^{named}: ") as refused:
        FS(**{"token": shared.tokens["admin"], **options})
    assert isinstance(refused.value, ValueError)
    assert shared.tokens["admin"] not in str(refused.value)


def test_token_and_hub_come_from_the_environment(
    shared: World, home: str, driver: FS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUCIDLINK_TOKEN", shared.tokens["writer"])
    monkeypatch.setenv("LUCIDLINK_HUB", shared.hub.url)
    fs = FS(skip_instance_cache=True)
    fs.pipe_file(f"{home}/a", b"a")
    assert driver.cat_file(f"{home}/a") == b"a"
    fs.close()


def test_the_token_shows_nowhere_but_in_a_pickle(shared: World, driver: FS, home: str) -> None:
    token = shared.tokens["admin"]
    assert token not in repr(driver) + str(driver) + repr(driver.options) + repr(driver._terms)
    again = pickle.loads(pickle.dumps(driver))
    again.pipe_file(f"{home}/a", b"a")
    assert driver.cat_file(f"{home}/a") == b"a"
    again.close()


def test_instances_share_one_client_until_the_last_one_closes(shared: World) -> None:
    options: dict[str, Any] = {"token": shared.tokens["second"], "hub": shared.hub.url, "skip_instance_cache": True}
    one, two = FS(**options), FS(**options)
    assert one.ls("demo") == two.ls("demo")
    assert one._shared is two._shared is not None
    shared_client = one._shared
    assert shared_client is not None
    one.close()
    one.close()
    assert two.exists("demo/data")
    two.close()
    assert not shared_client._daemon.is_running()
    with pytest.raises(lucidlink.FilespaceError, match="closed"):
        one.ls("demo")


def test_a_closed_instance_leaves_the_cache(shared: World) -> None:
    options: dict[str, Any] = {"token": shared.tokens["second"], "hub": shared.hub.url}
    first = fsspec.filesystem("lucidlink", **options)
    first.close()
    second = fsspec.filesystem("lucidlink", **options)
    assert second is not first
    assert second.exists("demo/data")
    second.close()


def test_no_answer_is_not_a_no(shared: World) -> None:
    fs = FS(token=shared.tokens["admin"], hub="http://127.0.0.1:9")
    with pytest.raises(ConnectionError):  # fsspec's own would say no
        fs.exists("demo/data/x")
    fs.close()


def test_what_is_above_a_filespace(driver: FS, shared: World) -> None:
    assert driver.ls("", detail=False) == ["demo"]
    assert driver.ls("lucidlink://demo", detail=False) == ["demo/data", "demo/other"]
    assert driver.isdir("") and driver.isdir("demo") and driver.isdir("demo/data")
    for missing in ("nobody", "nobody/data/x", "demo/nothing/x"):
        assert not driver.exists(missing)
        with pytest.raises(FileNotFoundError):
            driver.ls(missing)
    with pytest.raises(FileExistsError):
        driver.mkdir("demo/data")
    with pytest.raises(PermissionError):
        driver.rm("demo/data", recursive=True)
    stranger = FS(token=shared.tokens["stranger"], hub=shared.hub.url)
    assert not stranger.exists("demo/data/x")
    stranger.close()


# --- looking


def test_info_tells_what_there_is(driver: FS, home: str) -> None:
    driver.pipe_file(f"{home}/file", b"12345")
    info = driver.info(f"lucidlink://{home}/file")
    assert (info["name"], info["size"], info["type"], info["islink"]) == (f"{home}/file", 5, "file", False)
    assert abs(driver.modified(f"{home}/file").timestamp() - info["mtime"]) < 1e-3
    assert driver.created(f"{home}/file") <= driver.modified(f"{home}/file")
    assert driver.ls(f"{home}/file") == [info]
    assert driver.sizes([f"{home}/file"]) == [5]
    assert driver.info(home)["type"] == "directory"


def test_a_key_changes_exactly_with_the_content(driver: FS, home: str) -> None:
    path = f"{home}/file"
    driver.pipe_file(path, b"one")
    before = driver.ukey(path), driver.checksum(path)
    driver.mv(path, f"{home}/moved")
    assert (driver.ukey(f"{home}/moved"), driver.checksum(f"{home}/moved")) == before
    driver.pipe_file(f"{home}/moved", b"two")
    assert driver.ukey(f"{home}/moved") != before[0]
    assert driver.checksum(f"{home}/moved") != before[1]


def test_links_are_shown_and_followed(driver: FS, home: str) -> None:
    sdk, inner = driver._place(home)
    driver.pipe_file(f"{home}/file", b"12345")
    sdk.create_symlink("file", f"{inner}/link")
    sdk.create_symlink("nowhere", f"{inner}/dangling")
    listed = {info["name"].rpartition("/")[2]: info for info in driver.ls(home)}
    assert (listed["link"]["type"], listed["link"]["islink"], listed["link"]["destination"]) == ("link", True, "file")
    info = driver.info(f"{home}/link")
    assert (info["type"], info["size"], info["islink"]) == ("file", 5, True)
    assert driver.cat_file(f"{home}/link") == b"12345"
    assert not driver.exists(f"{home}/dangling")


def test_find_walk_glob_and_du_agree(driver: FS, home: str) -> None:
    files = {f"{home}/d{a}/e{b}/f{c}.txt": b"x" * (a + b + c) for a in range(4) for b in range(3) for c in range(5)}
    driver.pipe(files)
    driver.mkdir(f"{home}/empty")
    assert driver.find(home) == sorted(files)
    assert driver.find(home, maxdepth=1) == []
    with_folders = driver.find(home, withdirs=True, detail=True)
    assert len(with_folders) == 1 + len(files) + 4 + 12 + 1
    assert with_folders[f"{home}/empty"]["type"] == "directory"
    assert driver.du(home) == sum(map(len, files.values()))
    assert driver.glob(f"{home}/d1/*/f2.*") == [f"{home}/d1/e{b}/f2.txt" for b in range(3)]
    assert len(driver.glob(f"{home}/**/f3.txt")) == 12
    walked = {top: (sorted(dirs), sorted(names)) for top, dirs, names in driver.walk(home)}
    assert walked[home] == (["d0", "d1", "d2", "d3", "empty"], [])
    assert walked[f"{home}/d2/e1"] == ([], [f"f{c}.txt" for c in range(5)])
    pruned = []
    for top, dirs, _ in driver.walk(home):
        pruned.append(top)
        dirs[:] = [name for name in dirs if name in ("d1", "e1")]
    assert pruned == [home, f"{home}/d1", f"{home}/d1/e1"]
    bottom = [top for top, _, _ in driver.walk(home, topdown=False)]
    assert bottom[-1] == home
    assert list(driver.walk(f"{home}/nothing")) == []
    with pytest.raises(FileNotFoundError):
        list(driver.walk(f"{home}/nothing", on_error="raise"))
    assert driver.find(f"{home}/d0/e0/f1.txt") == [f"{home}/d0/e0/f1.txt"]
    assert driver.find(f"{home}/nothing") == []


def test_a_listing_is_never_stale(driver: FS, shared: World, home: str) -> None:
    other = FS(token=shared.tokens["second"], hub=shared.hub.url)
    for number in range(20):
        other.pipe_file(f"{home}/{number}", b"x" * number)
        assert len(driver.ls(home)) == number + 1
        assert driver.size(f"{home}/{number}") == number
    other.close()


# --- contents


def test_ranges_are_slices(driver: FS, home: str) -> None:
    data = os.urandom(3 * FRAME_BYTES + 77)
    path = f"{home}/file"
    driver.pipe_file(path, data)
    cases = [(0, 10), (None, 5), (FRAME_BYTES - 5, FRAME_BYTES + 5), (-100, None), (-100, -50), (5, 5), (10**9, None)]
    for start, end in cases:
        assert driver.cat_file(path, start, end) == data[start:end]
    starts, ends = [start for start, _ in cases], [end for _, end in cases]
    assert driver.cat_ranges([path] * len(cases), starts, ends) == [data[start:end] for start, end in cases]
    assert driver.head(path, 7) == data[:7]
    assert driver.tail(path, 7) == data[-7:]
    assert driver.read_block(path, 100, 50) == data[100:150]


def test_many_at_once(driver: FS, home: str) -> None:
    files = {f"{home}/d/{number}": os.urandom(number * 300) for number in range(300)}
    driver.pipe(files)
    assert driver.cat(list(files)) == files
    assert driver.cat(f"{home}/d", recursive=True) == files
    assert driver.cat(f"{home}/d/1?") == {
        path: data for path, data in files.items() if len(path) == len(home) + 5 and "/d/1" in path
    }
    missing = [f"{home}/d/5", f"{home}/nothing"]
    with pytest.raises(FileNotFoundError, match="nothing"):
        driver.cat(missing)
    assert driver.cat(missing, on_error="omit") == {missing[0]: files[missing[0]]}
    returned = driver.cat(missing, on_error="return")
    assert isinstance(returned[missing[1]], FileNotFoundError)
    found = driver.cat_ranges([missing[0], missing[1]], [0, 0], [10, 10])
    assert found[0] == files[missing[0]][:10]
    assert isinstance(found[1], FileNotFoundError)
    assert found[1].filename == missing[1]


@pytest.mark.parametrize("mode", ["wb", "xb", "ab", "w+b", "x+b", "a+b"])
def test_folders_above_a_new_file_are_made(driver: FS, home: str, mode: str) -> None:
    with driver.open(f"{home}/not/yet/there", mode) as file:
        file.write(b"data")
        assert file.path == f"{home}/not/yet/there"
        assert file.fs is driver
    assert driver.cat_file(f"{home}/not/yet/there") == b"data"


def test_streams_are_those_of_the_sdk(driver: FS, home: str) -> None:
    data = os.urandom(5 * MIB + 1)
    with driver.open(f"{home}/file", "wb") as file:
        file.write(data)
    with driver.open(f"{home}/file", "rb") as file:
        assert isinstance(file, io.BufferedReader)
        assert (vars(file)["size"], file.read(10), file.tell()) == (len(data), data[:10], 10)
        file.seek(-10, os.SEEK_END)
        assert file.read() == data[-10:]
    with driver.open(f"{home}/file", "r+b") as file:
        file.seek(MIB)
        file.write(b"patched")
    with driver.open(f"{home}/file", "ab") as file:
        file.write(b"end")
    assert driver.cat_file(f"{home}/file") == data[:MIB] + b"patched" + data[MIB + 7 :] + b"end"
    with pytest.raises(FileExistsError):
        driver.open(f"{home}/file", "xb")
    with pytest.raises(FileNotFoundError):
        driver.open(f"{home}/nothing", "rb")
    with driver.open(f"{home}/file", "rb", cache_type="readahead", block_size=2**16) as file:
        assert file.read(3) == data[:3]


@pytest.mark.parametrize("mode", ["wb", "w"])
def test_a_with_block_that_fails_publishes_nothing(driver: FS, home: str, mode: str) -> None:
    driver.pipe_file(f"{home}/file", b"old")
    with pytest.raises(ZeroDivisionError), driver.open(f"{home}/file", mode) as file:
        file.write("new" if mode == "w" else b"new")
        raise ZeroDivisionError
    assert driver.cat_file(f"{home}/file") == b"old"


def test_locks_of_an_open(driver: FS, shared: World, home: str) -> None:
    other = FS(token=shared.tokens["second"], hub=shared.hub.url)
    driver.pipe_file(f"{home}/file", b"data")
    with driver.open(f"{home}/file", "r+b", lock_type="exclusive"), pytest.raises(TimeoutError):
        other.open(f"{home}/file", "rb", lock_timeout=0)
    with pytest.raises(ValueError, match="lock_type"):
        driver.open(f"{home}/file", "rb", lock_type="some")
    other.close()


def test_a_reader_that_is_dropped_is_closed_without_a_word(driver: FS, home: str) -> None:
    driver.pipe_file(f"{home}/file", b"data")
    file = driver.open(f"{home}/file", "rb")
    del file
    file = driver.open(f"{home}/file", "wb")
    with pytest.warns(ResourceWarning, match="not published"):
        del file
    assert driver.cat_file(f"{home}/file") == b"data"


def test_compression_of_fsspec(driver: FS, home: str) -> None:
    with driver.open(f"{home}/file.gz", "wt", compression="infer") as file:
        file.write("text " * 1000)
    assert driver.size(f"{home}/file.gz") < 1000
    with driver.open(f"{home}/file.gz", "rt", compression="infer") as file:
        assert file.read() == "text " * 1000
    for name in ("gzip", "bz2", "xz"):
        with driver.open(f"{home}/bytes", "wb", compression=name) as file:
            file.write(b"bytes" * 1000)
        with driver.open(f"{home}/bytes", "rb", compression=name) as file:
            assert file.read() == b"bytes" * 1000
        for mode, data in (("wb", b"lost"), ("w", "lost")):
            with pytest.raises(ZeroDivisionError), driver.open(f"{home}/bytes", mode, compression=name) as file:
                file.write(data)
                raise ZeroDivisionError
        with driver.open(f"{home}/bytes", "rb", compression=name) as file:
            assert file.read() == b"bytes" * 1000
    with pytest.raises(ValueError, match="nonsense"):
        driver.open(f"{home}/bytes", "wb", compression="nonsense")


# --- transactions


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
    file = driver.open(f"{home}/file", "wb", autocommit=False)
    file.write(b"other")
    file.discard()
    assert driver.cat_file(f"{home}/file") == b"data"


# --- changes


def test_moves_are_native(driver: FS, home: str) -> None:
    driver.pipe({f"{home}/a/{number}": b"%d" % number for number in range(5)})
    node = driver.info(f"{home}/a/1")["ino"]
    driver.mv(f"lucidlink://{home}/a/1", f"lucidlink://{home}/b")
    assert driver.info(f"{home}/b")["ino"] == node
    driver.mv(f"{home}/a", f"{home}/moved")
    assert driver.find(f"{home}/moved") == [f"{home}/moved/{n}" for n in (0, 2, 3, 4)]
    driver.mv(f"{home}/b", f"{home}/moved")
    assert driver.cat_file(f"{home}/moved/b") == b"1"
    driver.mv(f"{home}/moved/b", f"{home}/moved/2")
    assert driver.cat_file(f"{home}/moved/2") == b"1", "a file takes the place of another, as with every driver"
    driver.mv(f"{home}/moved/2", f"{home}/new/folder/2")
    assert driver.cat_file(f"{home}/new/folder/2") == b"1"
    with pytest.raises(ValueError, match="different filespaces"):
        driver.mv(f"{home}/new/folder/2", "demo/other/2")
    with pytest.raises(FileNotFoundError):
        driver.mv(f"{home}/nothing", f"{home}/x")


def test_copies_in_one_filespace_move_no_bytes(driver: FS, home: str) -> None:
    data = os.urandom(9 * MIB)
    driver.pipe_file(f"{home}/a/file", data)
    sdk, _ = driver._place(home)
    before = sdk.get_size().storage
    driver.cp(f"{home}/a", f"{home}/b", recursive=True)
    assert driver.cat_file(f"{home}/b/file") == data
    assert sdk.get_size().storage == before
    driver.cp(f"{home}/a/file", "demo/other/file")
    assert driver.cat_file("demo/other/file") == data
    driver.rm("demo/other/file")


def test_removing(driver: FS, home: str) -> None:
    driver.pipe({f"{home}/a/b/{number}": b"" for number in range(5)})
    with pytest.raises(OSError) as refused:
        driver.rmdir(f"{home}/a")
    assert refused.value.errno == errno.ENOTEMPTY
    with pytest.raises(IsADirectoryError):
        driver.rm(f"{home}/a")
    driver.rm([f"{home}/a/b/0", f"{home}/a/b/1"])
    driver.rm(f"{home}/a/b/[23]")
    assert driver.find(f"{home}/a") == [f"{home}/a/b/4"]
    driver.rm(f"{home}/a", recursive=True)
    assert not driver.exists(f"{home}/a")
    with pytest.raises(FileNotFoundError):
        driver.rm(f"{home}/a")
    driver.makedirs(f"{home}/x/y", exist_ok=True)
    driver.makedirs(f"{home}/x/y", exist_ok=True)
    with pytest.raises(FileExistsError):
        driver.makedirs(f"{home}/x/y")
    with pytest.raises(FileNotFoundError):
        driver.mkdir(f"{home}/no/parent", create_parents=False)
    driver.rmdir(f"{home}/x/y")
    driver.touch(f"{home}/x/new", truncate=False)
    assert driver.size(f"{home}/x/new") == 0


# --- to and from this machine


def _files(top: Path) -> dict[str, bytes]:
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


class Progress(Callback):
    """Counts."""

    def __init__(self) -> None:
        super().__init__()
        self.children: list[Callback] = []

    def branched(self, path_1: Any, path_2: Any, **kwargs: Any) -> Callback:
        child = Callback()
        self.children.append(child)
        return child


def test_whole_trees_there_and_back_with_progress(driver: FS, home: str, tmp_path: Path) -> None:
    data = {f"d{n % 7}/file{n}": os.urandom(n * 997) for n in range(120)} | {"big": os.urandom(5 * MIB)}
    for name, body in data.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(body)
    (tmp_path / "tree" / "empty").mkdir()
    up, down = Progress(), Progress()
    driver.put(str(tmp_path / "tree"), f"{home}/tree", recursive=True, callback=up)
    assert driver.isdir(f"{home}/tree/empty")
    driver.get(f"{home}/tree", str(tmp_path / "back"), recursive=True, callback=down)
    assert {
        str(p.relative_to(tmp_path / "back")): p.read_bytes() for p in (tmp_path / "back").rglob("*") if p.is_file()
    } == data
    assert (tmp_path / "back" / "empty").is_dir()
    total = sum(map(len, data.values()))
    assert sum(child.value for child in up.children) == sum(child.value for child in down.children) == total
    assert (up.size, up.value) == (121, 121)
    buffer = io.BytesIO()
    driver.get_file(f"{home}/tree/big", buffer)
    assert buffer.getvalue() == data["big"]


def test_rsync_both_ways(driver: FS, shared: World, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCIDLINK_TOKEN", shared.tokens["admin"])
    monkeypatch.setenv("LUCIDLINK_HUB", shared.hub.url)
    data = {f"d{n % 3}/file{n}": os.urandom(n * 1000) for n in range(30)}
    for name, body in data.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(body)
    rsync(f"file://{tmp_path}/tree", f"lucidlink://{home}/tree")
    assert driver.cat(f"{home}/tree", recursive=True) == {f"{home}/tree/{name}": body for name, body in data.items()}
    rsync(f"lucidlink://{home}/tree", f"file://{tmp_path}/back")
    for used in list(FS._cache.values()):  # fsspec keeps one instance for each thread
        used.close()
    assert {
        str(p.relative_to(tmp_path / "back")): p.read_bytes() for p in (tmp_path / "back").rglob("*") if p.is_file()
    } == data


# --- threads and processes


def test_sixteen_threads_on_one_instance(driver: FS, home: str) -> None:
    def work(number: int) -> None:
        for turn in range(10):
            path = f"{home}/{number}/{turn}"
            body = os.urandom(5000 * (turn + 1))
            driver.pipe_file(path, body)
            assert driver.cat_file(path) == body
            assert path in driver.ls(f"{home}/{number}", detail=False)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert len(driver.find(home)) == 160


def _write_and_read(fs: FS, home: str, number: int) -> bytes:
    fs.pipe_file(f"{home}/from-{number}", b"%d" % number * 1000)
    with fs.open(f"{home}/base", "rb") as file:
        data: bytes = file.read()
    return data


@pytest.mark.parametrize("method", ["fork", "spawn"] if sys.platform == "linux" else ["spawn"])
def test_workers_use_what_they_are_given(driver: FS, home: str, method: str) -> None:
    base = os.urandom(300_000)
    driver.pipe_file(f"{home}/base", base)
    with ProcessPoolExecutor(3, mp_context=get_context(method)) as pool:
        found = list(pool.map(_write_and_read, [driver] * 6, [home] * 6, range(6)))
    if method == "spawn":
        resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]  # it would stay until the end
    assert found == [base] * 6
    assert driver.cat([f"{home}/from-{number}" for number in range(6)]) == {
        f"{home}/from-{number}": b"%d" % number * 1000 for number in range(6)
    }


def test_a_forked_child_uses_the_parents_instance(driver: FS, home: str) -> None:
    driver.pipe_file(f"{home}/file", b"from the parent")
    reader = driver.open(f"{home}/file", "rb")
    assert reader.read(4) == b"from"
    child = os.fork()
    if not child:
        good = reader.read() == b" the parent" and driver.cat_file(f"{home}/file") == b"from the parent"
        driver.pipe_file(f"{home}/child", b"from the child")
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert reader.read() == b" the parent"
    reader.close()
    assert driver.cat_file(f"{home}/child") == b"from the child"
