"""The command line's parts without a process: locations, texts, exit codes, and copying between made-up sides."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from lucidfs.cli.exits import Exit, UsageError, exit_code, explain, reporting
from lucidfs.cli.hub import parse_address
from lucidfs.cli.location import Location, parse, parse_in_filespace
from lucidfs.cli.output import shown, size_text
from lucidfs.cli.remote import check_address, check_token
from lucidfs.cli.resume import Copied, Record
from lucidfs.cli.sides import Item, Kind, LocalSide, Side, Stream
from lucidfs.cli.tour import STEPS
from lucidfs.cli.transfer import Done, Place, plan, run
from lucidfs.errors import Code, Fault
from lucidlink.exceptions import AuthenticationError, ConfigurationError, FilespaceError

# --- locations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("lucidlink://w/f/a/b", ("w", "f", "/a/b")),
        ("lucidlink://w/f", ("w", "f", "/")),
        ("lucidlink://w/f/", ("w", "f", "/")),
        ("lucidlink://w/f//a//b/", ("w", "f", "/a/b")),
        ("lucidlink://w/f/a/../b", ("w", "f", "/b")),
        ("lucidlink://w/f/100%?#x y", ("w", "f", "/100%?#x y")),
        ("lucidlink://w", ("w", "", "/")),
        ("lucidlink://", ("", "", "/")),
    ],
)
def test_locations(url: str, parts: tuple[str, str, str]) -> None:
    assert parse(url) == Location(*parts)
    assert parse(str(parse(url))) == parse(url)


@pytest.mark.parametrize("text", ["", "/a/b", "a", "s3://bucket/key", "lucidlink:/w/f", "lucidlink:///f"])
def test_what_is_no_location(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_files_are_in_filespaces() -> None:
    with pytest.raises(UsageError, match="names no filespace"):
        parse_in_filespace("lucidlink://w")
    assert parse_in_filespace("lucidlink://w/f").join("a/b").path == "/a/b"
    assert parse_in_filespace("lucidlink://w/f/a").name == "a"


@pytest.mark.parametrize(
    ("listen", "where"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        (":8000", ("127.0.0.1", 8000)),
        ("[::1]:8000", ("::1", 8000)),
        ("[::1]", ("::1", 7117)),
        ("localhost", ("localhost", 7117)),
    ],
)
def test_addresses_to_listen_on(listen: str, where: tuple[str, int]) -> None:
    assert parse_address(listen) == where


def test_addresses_and_tokens_are_checked_before_anything_is_asked() -> None:
    with pytest.raises(UsageError, match="--allow-plaintext"):
        check_address("http://hub.example.com", False)
    with pytest.raises(UsageError, match="LUCIDLINK_TOKEN"):
        check_token(" ")
    with pytest.raises(UsageError) as error:
        check_token("sa_live:secret")
    assert "secret" not in str(error.value).replace("<secret>", "")


# --- texts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0"), (1023, "1023"), (1024, "1.0K"), (1536, "1.5K"), (1024**2 - 1, "1.0M"), (2**40, "1.0T"), (2**62, "4.0E")],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


def test_control_characters_are_escaped_and_letters_stay() -> None:
    assert shown("naïve 名前 \x1b[2J\n\x7f\u202e") == "naïve 名前 \\x1b[2J\\n\\x7f\\u202e"


# --- exit codes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), Exit.USAGE),
        (ConfigurationError("hub.url: x"), Exit.USAGE),
        (Fault(Code.UNAVAILABLE), Exit.NO_HUB),
        (Fault(Code.SHUTTING_DOWN), Exit.NO_HUB),
        (ConnectionRefusedError(111, "x"), Exit.NO_HUB),
        (Fault(Code.NOT_FOUND), Exit.NOT_FOUND),
        (FileNotFoundError(2, "x"), Exit.NOT_FOUND),
        (Fault(Code.DENIED), Exit.DENIED),
        (Fault(Code.UNAUTHENTICATED), Exit.DENIED),
        (AuthenticationError(13, "x"), Exit.DENIED),
        (PermissionError(13, "x"), Exit.DENIED),
        (Fault(Code.EXISTS), Exit.FAILED),
        (TimeoutError(110, "x"), Exit.FAILED),
        (IsADirectoryError(21, "x"), Exit.FAILED),
        (FilespaceError("x"), Exit.FAILED),
        (ZeroDivisionError(), None),
    ],
)
def test_exit_codes(error: Exception, code: Exit | None) -> None:
    assert exit_code(error) is code


def test_errors_are_one_line() -> None:
    assert explain(Fault(Code.EXISTS, "there already")) == "there already"
    assert explain(FileNotFoundError(2, "No such file", "/a")) == "No such file: /a"
    assert explain(KeyError()) == "KeyError"


def test_a_mistake_of_this_program_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), reporting(False):
        raise ZeroDivisionError


def test_reporting_exits_with_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, reporting(False):
        raise Fault(Code.NOT_FOUND, "not\nthere")
    assert ended.value.exit_code == 4
    assert capsys.readouterr().err == "lucid: not\\nthere\n"


# --- copying ----------------------------------------------------------------------------------------------------


class DictSide:
    """A side that is a dict: folders None, files bytes, links text. `broken` paths fail when they are read."""

    def __init__(self, things: dict[str, bytes | str | None], broken: frozenset[str] = frozenset()) -> None:
        self.things = things
        self.broken = broken
        self.written: list[str] = []

    def kind(self, path: str) -> Kind | None:
        if path not in self.things:
            return None
        return "dir" if self.things[path] is None else "file"

    def size(self, path: str) -> int:
        data = self.things[path]
        assert isinstance(data, bytes)
        return len(data)

    def walk(self, path: str, jobs: int) -> Iterator[Item]:
        for name, data in sorted(self.things.items()):
            if name.startswith(path + "/"):
                kind: Kind = "dir" if data is None else "link" if isinstance(data, str) else "file"
                yield Item(name[len(path) + 1 :], kind, len(data) if isinstance(data, bytes) else 0)

    def join(self, path: str, relative: str) -> str:
        return f"{path}/{relative}"

    def mark(self, path: str) -> str:
        data = self.things.get(path)
        if not isinstance(data, bytes):
            raise FileNotFoundError(path)
        return hashlib.sha256(data).hexdigest()

    @contextmanager
    def read(self, path: str) -> Iterator[Stream]:
        if path in self.broken:
            raise OSError(5, "cannot be read", path)
        data = self.things[path]
        assert isinstance(data, bytes)
        stream = Stream(io.BytesIO(data))  # type: ignore[arg-type]
        yield stream
        stream.mark = self.mark(path)

    @contextmanager
    def write(self, path: str) -> Iterator[Stream]:
        buffer = io.BytesIO()
        stream = Stream(buffer)  # type: ignore[arg-type]
        yield stream
        self.things[path] = buffer.getvalue()
        self.written.append(path)
        stream.mark = self.mark(path)

    def clone(self, source: Side, path: str, target: str) -> str | None:
        return None

    def make_folder(self, path: str) -> None:
        self.things.setdefault(path, None)

    def read_link(self, path: str) -> str:
        target = self.things[path]
        assert isinstance(target, str)
        return target

    def make_link(self, target: str, path: str) -> None:
        self.things[path] = target


TREE: dict[str, bytes | str | None] = {
    "src": None,
    "src/a": None,
    "src/a/one": b"1" * 3_000_000,
    "src/a/two": b"",
    "src/link": "a/one",
}


def test_a_copy_is_equal_and_counts_its_bytes() -> None:
    source, target = DictSide(dict(TREE)), DictSide({})
    work = plan([(Place(source, "src", "src"), Place(target, "dst", "dst"))], jobs=2)
    moved: list[int] = []
    assert run(work, 2, moved.append, Record(None)) == ([], 0)
    assert target.things == {name.replace("src", "dst", 1): data for name, data in TREE.items()}
    assert sum(moved) == work.bytes == 3_000_000


def test_a_file_that_fails_is_reported_and_the_others_arrive() -> None:
    source, target = DictSide(dict(TREE), broken=frozenset({"src/a/one"})), DictSide({})
    failed, _ = _copied(source, target, Record(None))
    assert [(item.path, type(item.error)) for item in failed] == [("src/a/one", OSError)]
    assert "dst/a/one" not in target.things
    assert target.things["dst/a/two"] == b""


def _copied(source: DictSide, target: DictSide, record: Record) -> Done:
    work = plan([(Place(source, "src", "src"), Place(target, "dst", "dst"))], 2)
    moved: list[int] = []
    done = run(work, 2, moved.append, record)
    assert done.failed or sum(moved) == work.bytes, "what is skipped counts as done"
    return done


def test_an_unfinished_copy_goes_on_with_what_is_missing_or_changed(tmp_path: Path) -> None:
    path = tmp_path / "record"
    source, target = DictSide(dict(TREE), broken=frozenset({"src/a/one"})), DictSide({})
    source.things |= {"src/b": b"b", "src/c": b"c"}
    record = Record(path)
    record.begin(into=False)
    assert len(_copied(source, target, record).failed) == 1
    record.close(complete=False)
    path.write_bytes(path.read_bytes() + b'["src/a/one", "dst/a/one", "to')  # a torn line
    source.broken, target.written = frozenset(), []
    source.things["src/b"] = b"B"
    target.things["dst/c"] = b"somebody else's"
    again = Record(path)
    assert again.into is False
    assert _copied(source, target, again) == ([], 1)
    assert sorted(target.written) == ["dst/a/one", "dst/b", "dst/c"]
    assert target.things == {name.replace("src", "dst", 1): data for name, data in source.things.items()}
    again.close(complete=True)
    assert not path.exists()
    assert _copied(source, target, Record(path)).skipped == 0, "a copy that ended leaves nothing to resume"


def test_a_record_belongs_to_one_command_and_to_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    record = Record.of(["hub", "/a", "/b"])
    record.begin(into=True)
    record.note("/a/x", "/b/x", Copied("1", "2"))
    record.note("/a/\udcff", "/b/y", Copied("1", "2"))
    record.close(complete=False)
    assert Record.of(["hub", "/a", "/b"]).find("/a/x", "/b/x") == Copied("1", "2")
    assert Record.of(["hub", "/a", "/b"]).find("/a/\udcff", "/b/y") == Copied("1", "2")
    assert Record.of(["hub", "/a", "/c"]).find("/a/x", "/b/x") is None
    (path,) = (tmp_path / "lucid" / "copies").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_place_that_cannot_be_written_only_means_no_record(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    record = Record(tmp_path / "file" / "record")
    record.note("/a", "/b", Copied("1", "2"))
    record.close(complete=True)


def test_a_source_that_changes_while_it_is_read_has_no_mark(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12")
    with LocalSide().read(str(tmp_path / "file")) as stream:
        (tmp_path / "file").write_bytes(b"123")
    assert stream.mark == ""
    with LocalSide().read(str(tmp_path / "file")) as stream:
        pass
    assert stream.mark == LocalSide().mark(str(tmp_path / "file"))


def test_a_local_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    side, path = LocalSide(), str(tmp_path / "file")
    (tmp_path / "file").write_text("old")
    with pytest.raises(ZeroDivisionError), side.write(path) as stream:
        stream.file.write(b"new")
        assert (tmp_path / "file").read_text() == "old"
        raise ZeroDivisionError
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"
    with side.write(path) as stream:
        stream.file.write(b"new")
    assert stream.mark == side.mark(path)
    assert (tmp_path / "file").read_text() == "new"


def test_a_long_name_can_be_written_here(tmp_path: Path) -> None:
    name = "ü" * 127
    with LocalSide().write(str(tmp_path / name)) as stream:
        stream.file.write(b"x")
    assert os.listdir(tmp_path) == [name]


def test_the_tour_shows_code_that_is_code() -> None:
    for step in STEPS:
        compile(step.code, "tour", "exec")
        assert step.says.endswith(".")
        assert max(map(len, step.code.splitlines())) < 110
