"""`lucid cp` as a process: both directions, whole folders, what is replaced, and what a failure leaves."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import lucidlink
from lucidfs.crypto.token import Token
from lucidfs.engine.administration import Administration
from lucidfs.testing.hubs import new_hub
from tests.integration.lucid import COMMAND, Lucid

ROOT = "lucidlink://demo/data"
OTHER = "lucidlink://demo/other"


class Shell(Lucid):
    """A shell beside a filespace."""

    fs: lucidlink.Filesystem


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    hub, token = new_hub(tmp_path / "server")
    admin = Administration(hub.url, Token.parse(token), os.urandom)
    admin.create_filespace("data")
    admin.create_filespace("other")
    admin.close()
    folder = tmp_path / "home"
    folder.mkdir()
    shell = Shell(hub.url, token, folder)
    with lucidlink.create_daemon({"hub.url": hub.url}) as daemon:
        workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(token))
        with workspace.link_filespace(name="data") as filespace:
            shell.fs = filespace.fs
            yield shell
    hub.stop()


def make_tree(top: Path) -> None:
    (top / "a" / "b").mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "a" / "big").write_bytes(os.urandom(5_000_000))
    for number in range(30):
        (top / "a" / "b" / f"{number}.txt").write_text(f"file {number}\n")
    (top / "a" / "nothing").touch()
    (top / "a" / "link").symlink_to("b/1.txt")
    (top / "dangling").symlink_to("/no/such/place")
    (top / "ünï çødé").write_text("name")


def told(top: Path) -> dict[str, object]:
    """Everything below a folder: content of files, targets of links, None for folders."""
    found: dict[str, object] = {}
    for path in sorted(top.rglob("*")):
        name = str(path.relative_to(top))
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def test_a_tree_goes_there_and_back(shell: Shell) -> None:
    source = shell.folder / "tree"
    make_tree(source)
    shell.ok("cp", "-r", "tree", f"{ROOT}/copy")
    assert shell.fs.read_symlink("/copy/a/link") == "b/1.txt"
    report = shell.ok("cp", "-r", "--json", f"{ROOT}/copy", "back").json
    assert told(shell.folder / "back") == told(source)
    assert (report["files"], report["folders"], report["links"], report["failed"]) == (33, 4, 2, [])
    assert report["bytes"] == sum(p.stat().st_size for p in source.rglob("*") if p.is_file() and not p.is_symlink())


def test_between_two_filespaces(shell: Shell) -> None:
    make_tree(shell.folder / "tree")
    shell.ok("cp", "-r", "tree", f"{ROOT}/copy")
    shell.ok("cp", "-r", f"{ROOT}/copy", f"{OTHER}/copy")
    shell.ok("cp", "-r", f"{OTHER}/copy", "back")
    assert told(shell.folder / "back") == told(shell.folder / "tree")
    shell.ok("cp", "-r", f"{ROOT}/copy/a", f"{ROOT}/inside")
    assert shell.fs.list_dir("/inside") == ["b", "big", "link", "nothing"]


def test_into_a_folder_that_exists(shell: Shell) -> None:
    (shell.folder / "tree" / "sub").mkdir(parents=True)
    (shell.folder / "one").write_text("1")
    (shell.folder / "two").write_text("2")
    shell.fs.create_dir("/there")
    shell.ok("cp", "-r", "one", "two", "tree", f"{ROOT}/there")
    assert shell.fs.list_dir("/there") == ["one", "tree", "two"]
    shell.ok("cp", "-r", "tree/.", f"{ROOT}/there")
    assert shell.fs.list_dir("/there") == ["one", "sub", "tree", "two"]
    shell.ok("cp", f"{ROOT}/there/one", ".")
    assert (shell.folder / "one").read_text() == "1"
    shell.ok("cp", "-r", ROOT, "all")
    assert sorted(p.name for p in (shell.folder / "all").iterdir()) == ["there"]


def test_what_exists_is_replaced_whole(shell: Shell) -> None:
    (shell.folder / "file").write_text("new")
    shell.fs.write_file("/file", b"much longer than the new one")
    shell.ok("cp", "file", f"{ROOT}/file")
    assert shell.fs.read_file("/file") == b"new"
    (shell.folder / "file").write_text("local, and longer")
    (shell.folder / "name").symlink_to("file")
    shell.ok("cp", f"{ROOT}/file", "name")
    assert (shell.folder / "name").is_symlink()
    assert (shell.folder / "file").read_text() == "new"
    assert stat.S_IMODE((shell.folder / "file").stat().st_mode) & 0o400
    shell.ok("cp", f"{ROOT}/file", "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_running_it_again_changes_nothing(shell: Shell) -> None:
    make_tree(shell.folder / "tree")
    shell.fs.create_dir("/there")
    shell.ok("cp", "-r", "tree", f"{ROOT}/there")
    shell.ok("cp", "-r", "tree", f"{ROOT}/there")
    shell.ok("cp", "-r", f"{ROOT}/there/tree", "back")
    (shell.folder / "second").mkdir()
    shell.ok("cp", "-r", f"{ROOT}/there/tree", "second")
    assert told(shell.folder / "back") == told(shell.folder / "tree") == told(shell.folder / "second" / "tree")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("tree", f"{ROOT}/x"), 2),  # a folder without -r
        (("one", "two", f"{ROOT}/nothing"), 2),  # several need a folder
        (("-r", f"{ROOT}/f", f"{ROOT}/f/x"), 2),  # into itself
        (("-r", f"{ROOT}/f", f"{ROOT}/f"), 2),  # lands in itself
        (("one", f"{ROOT}/nothing/"), 4),
        (("one", f"{ROOT}/no/folder/one"), 4),
    ],
)
def test_refusals(shell: Shell, arguments: tuple[str, ...], code: int) -> None:
    make_tree(shell.folder / "tree")
    (shell.folder / "one").write_text("1")
    (shell.folder / "two").write_text("2")
    shell.fs.create_dir("/f")
    ended = shell.run("cp", *arguments)
    assert ended.code == code, ended
    assert shell.fs.list_dir("/") == ["f"]
    assert shell.fs.list_dir("/f") == []


def test_what_fails_does_not_stop_the_rest(shell: Shell) -> None:
    tree = shell.folder / "tree"
    tree.mkdir()
    (tree / "good").write_text("good")
    os.mkfifo(tree / "pipe")
    (tree / ("n" * 200)).write_text("long, and fine")
    shell.fs.create_dir("/copy/tree/good")  # in the way of a file
    ended = shell.run("cp", "-r", "tree", f"{ROOT}/copy")
    assert ended.code == 1
    assert "pipe" in ended.err
    assert "good" in ended.err
    assert shell.fs.list_dir("/copy/tree") == ["good", "n" * 200]
    ended = shell.run("cp", "-r", "--json", "tree", f"{ROOT}/copy")
    assert sorted(Path(item["path"]).name for item in ended.json["failed"]) == ["good", "pipe"]


def test_a_failed_download_leaves_the_old_file(shell: Shell) -> None:
    shell.fs.create_dir("/folder")
    (shell.folder / "old").write_text("old")
    assert shell.run("cp", f"{ROOT}/nothing", "old").code == 4
    assert (shell.folder / "old").read_text() == "old"
    assert [path.name for path in shell.folder.iterdir()] == ["old"]


def test_an_interrupted_copy_leaves_whole_files_only(shell: Shell) -> None:
    big = shell.folder / "tree"
    big.mkdir()
    data = os.urandom(1 << 20)
    for number in range(200):
        (big / f"{number:03}").write_bytes(data)
    process = shell.start("cp", "-r", "-j", "2", "tree", f"{ROOT}/copy")
    while not (shell.fs.dir_exists("/copy") and shell.fs.list_dir("/copy")):
        assert process.poll() is None, "it ended before it could be interrupted"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    entries = shell.fs.read_dir("/copy")
    assert 0 < len(entries) < 200
    assert {entry.size for entry in entries} == {len(data)}


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_killed_copy_goes_on_where_it_stopped(shell: Shell, way: str) -> None:
    tree = shell.folder / "tree"
    tree.mkdir()
    data = {f"{number:03}": os.urandom(300_000) for number in range(120)}
    for name, body in data.items():
        (tree / name).write_bytes(body)
    command = ["cp", "-r", "-j", "2", "tree", f"{ROOT}/copy"]
    if way == "down":
        shell.ok("cp", "-r", "tree", f"{ROOT}/tree")
        command = ["cp", "-r", "-j", "2", f"{ROOT}/tree", "copy"]

    def there() -> list[str]:
        if way == "down":
            return [p.name for p in (shell.folder / "copy").glob("[0-9]*")] if (shell.folder / "copy").is_dir() else []
        return shell.fs.list_dir("/copy") if shell.fs.dir_exists("/copy") else []

    process = shell.start(*command)
    while len(there()) < 10:
        assert process.poll() is None, "it ended before it could be killed"
    process.kill()
    process.communicate()
    before = there()
    assert 10 <= len(before) < 120
    changed_source, changed_target = before[0], before[1]
    data[changed_source] = b"changed meanwhile"
    if way == "up":
        (tree / changed_source).write_bytes(data[changed_source])
        shell.fs.write_file(f"/copy/{changed_target}", bytes(300_000))
    else:
        shell.fs.write_file(f"/tree/{changed_source}", data[changed_source])
        (shell.folder / "copy" / changed_target).write_bytes(bytes(300_000))
    again = shell.run(*command, "--json")
    assert again.code == 0, again
    assert len(before) - 5 <= again.json["skipped"] <= len(before) - 2  # some were there and not yet noted
    for name, body in data.items():
        found = shell.fs.read_file(f"/copy/{name}") if way == "up" else (shell.folder / "copy" / name).read_bytes()
        assert found == body
    assert not list((shell.folder.parent / "temporary" / "lucid" / "copies").iterdir())


def test_a_copy_of_which_something_failed_goes_on_or_starts_over(shell: Shell) -> None:
    make_tree(shell.folder / "tree")
    os.mkfifo(shell.folder / "tree" / "pipe")
    assert shell.run("cp", "-r", "tree", f"{ROOT}/copy").code == 1
    (shell.folder / "tree" / "pipe").unlink()
    ended = shell.run("cp", "-r", str(shell.folder / "tree"), f"{ROOT}/copy")
    assert (ended.code, ended.err) == (
        0, "lucid: went on with an unfinished copy: 33 files that it had copied were skipped\n",
    )  # fmt: skip
    assert "tree" not in shell.fs.list_dir("/copy"), "the same command means the same"
    shell.ok("cp", "-r", "tree", f"{ROOT}/copy")
    assert "tree" in shell.fs.list_dir("/copy"), "a copy that ended is over"
    os.mkfifo(shell.folder / "tree" / "pipe")
    assert shell.run("cp", "-r", "tree", f"{ROOT}/second").code == 1
    report = shell.run("cp", "-r", "--no-resume", "--json", "tree", f"{ROOT}/second").json
    assert report["skipped"] == 0
    assert "tree" in shell.fs.list_dir("/second")


def test_a_terminal_gets_a_progress_bar_and_a_pipe_none(shell: Shell) -> None:
    (shell.folder / "big").write_bytes(bytes(3_000_000))
    assert shell.ok("cp", "big", f"{ROOT}/piped").err == ""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "cp", "big", f"{ROOT}/shown"], cwd=shell.folder, env=shell.environment(), stderr=theirs
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while chunk := os.read(ours, 65536):
            shown += chunk
    os.close(ours)
    assert process.wait(60) == 0
    assert b"1 file" in shown
    assert b"3.0/3.0 MB" in shown
