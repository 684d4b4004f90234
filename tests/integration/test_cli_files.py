"""The file commands as processes against a real hub: what they do, print, and exit with."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import lucidlink
from lucidfs.crypto.token import Token
from lucidfs.engine.administration import Administration
from lucidfs.testing.hubs import HubThread, new_hub
from lucidfs.types import Role
from tests.integration.lucid import COMMAND, Ended, Lucid

ROOT = "lucidlink://demo/data"


class Place:
    """A hub with the filespaces `data` and `other`, a shell, and the SDK to look at the same files."""

    def __init__(self, hub: HubThread, lucid: Lucid, fs: lucidlink.Filesystem, tokens: dict[str, str]) -> None:
        self.hub, self.lucid, self.fs, self.tokens = hub, lucid, fs, tokens

    def run(self, *arguments: str | Path) -> Ended:
        return self.lucid.run(*arguments)

    def ok(self, *arguments: str | Path) -> Ended:
        return self.lucid.ok(*arguments)

    def shell(self, token: str) -> Lucid:
        return Lucid(self.hub.url, token, self.lucid.folder)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HubThread, str, dict[str, str]]]:
    hub, token = new_hub(tmp_path_factory.mktemp("cli"))
    admin = Administration(hub.url, Token.parse(token), os.urandom)
    admin.create_filespace("other")
    admin.create_filespace("data")
    tokens = {role.name: admin.create_account(role.name, {"data": role}).token.text() for role in Role}
    admin.close()
    yield hub, token, tokens
    hub.stop()


@pytest.fixture
def place(running: tuple[HubThread, str, dict[str, str]], tmp_path: Path) -> Iterator[Place]:
    hub, token, tokens = running
    with lucidlink.create_daemon({"hub.url": hub.url}) as daemon:
        workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(token))
        with workspace.link_filespace(name="data") as filespace:
            yield Place(hub, Lucid(hub.url, token, tmp_path), filespace.fs, tokens)
            for entry in filespace.fs.read_dir("/"):
                if entry.is_dir():
                    filespace.fs.delete_dir(entry.name, recursive=True)
                else:
                    filespace.fs.delete(entry.name)


def lines(ended: Ended) -> list[str]:
    return ended.out.splitlines()


# --- looking ----------------------------------------------------------------------------------------------------


def test_ls_shows_names_sorted_with_marks(place: Place) -> None:
    place.fs.write_file("/b.txt", b"12345")
    place.fs.create_dir("/a")
    place.fs.create_symlink("b.txt", "/c")
    assert lines(place.ok("ls", ROOT)) == ["a/", "b.txt", "c@"]
    assert lines(place.ok("ls", f"{ROOT}/b.txt")) == ["b.txt"]
    head, *rows = lines(place.ok("ls", "-l", ROOT))
    assert head.split() == ["type", "size", "modified", "name"]
    assert [row.split()[0] for row in rows] == ["dir", "file", "link"]
    assert rows[1].split()[1] == "5"


def test_ls_above_filespaces(place: Place) -> None:
    assert lines(place.ok("ls", "lucidlink://")) == ["demo"]
    assert lines(place.ok("ls", "lucidlink://demo")) == ["data", "other"]
    found = place.ok("ls", "--json", "lucidlink://demo").json
    assert [(item["name"], item["type"], item["url"]) for item in found] == [
        ("data", "filespace", "lucidlink://demo/data"),
        ("other", "filespace", "lucidlink://demo/other"),
    ]


def test_ls_json_tells_everything(place: Place) -> None:
    place.fs.write_file("/b.txt", b"12345")
    [item] = place.ok("ls", "--json", ROOT).json
    entry = place.fs.get_entry("/b.txt")
    assert item["url"] == f"{ROOT}/b.txt"
    assert (item["name"], item["type"], item["size"], int(item["id"], 16)) == ("b.txt", "file", 5, entry.file_id)
    assert item["modified"].endswith("Z")
    assert place.ok("ls", "--json", f"{ROOT}/b.txt").json == [item]


def test_names_cannot_command_a_terminal(place: Place) -> None:
    place.fs.write_file("/evil\x1b[31m\nname", b"")
    assert lines(place.ok("ls", ROOT)) == ["evil\\x1b[31m\\nname"]
    assert place.ok("ls", "--json", ROOT).json[0]["name"] == "evil\x1b[31m\nname"


def test_a_filespace_may_be_named_by_id(place: Place) -> None:
    place.fs.write_file("/x", b"")
    listed = place.ok("filespace", "list", "--json").json
    [number] = [item["id"] for item in listed if item["name"] == "data"]
    assert lines(place.ok("ls", f"lucidlink://demo/{number}")) == ["x"]


def test_tree_draws_and_nests(place: Place) -> None:
    place.fs.create_dir("/a/b")
    place.fs.write_file("/a/b/c", b"1")
    place.fs.write_file("/d", b"1")
    assert lines(place.ok("tree", ROOT)) == [
        f"{ROOT}/",
        "├── a/",
        "│   └── b/",
        "│       └── c",
        "└── d",
        "",
        "2 folders, 2 files",
    ]
    assert lines(place.ok("tree", "-L", "1", ROOT))[1:3] == ["├── a/", "└── d"]
    nested = place.ok("tree", "--json", ROOT).json
    assert [child["name"] for child in nested["children"]] == ["a", "d"]
    assert nested["children"][0]["children"][0]["children"][0]["url"] == f"{ROOT}/a/b/c"


def test_stat_tells_the_target_of_a_link(place: Place) -> None:
    place.fs.create_symlink("nowhere", "/link")
    assert lines(place.ok("ls", f"{ROOT}/link")) == ["link@"]
    [about] = place.ok("stat", "--json", f"{ROOT}/link").json
    assert (about["type"], about["target"]) == ("link", "nowhere")
    assert "nowhere" in place.ok("stat", f"{ROOT}/link").out


def test_cat_writes_bytes_as_they_are(place: Place) -> None:
    data = os.urandom(3_000_000)
    place.fs.write_file("/big", data)
    done = subprocess.run(
        [*COMMAND, "cat", f"{ROOT}/big", f"{ROOT}/big"],
        env=place.lucid.environment(), capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == data + data
    [item] = place.ok("cat", "--json", f"{ROOT}/big").json
    assert base64.b64decode(item["base64"]) == data


def test_cat_ends_quietly_when_its_reader_has_gone(place: Place) -> None:
    place.fs.write_file("/big", bytes(5_000_000))
    process = place.lucid.start("cat", f"{ROOT}/big")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(10) == "\0" * 10
    process.stdout.close()
    assert (process.wait(60), process.stderr.read()) == (1, "")
    process.stderr.close()


def test_du_sums_up(place: Place) -> None:
    place.fs.create_dir("/a/b")
    place.fs.write_file("/a/one", bytes(1000))
    place.fs.write_file("/a/b/two", bytes(24))
    place.fs.write_file("/three", bytes(2048))
    rows = [row.split(maxsplit=1) for row in lines(place.ok("du", ROOT))]
    assert rows == [["1024", f"{ROOT}/a"], ["24", f"{ROOT}/a/b"], ["3072", f"{ROOT}/"]]
    assert lines(place.ok("du", "-s", "-H", ROOT)) == [f"3.0K  {ROOT}/"]
    assert place.ok("du", "-s", "--json", f"{ROOT}/a").json == [{"url": f"{ROOT}/a", "bytes": 1024, "files": 2}]
    assert lines(place.ok("du", f"{ROOT}/three")) == [f"2048  {ROOT}/three"]


# --- changing ---------------------------------------------------------------------------------------------------


def test_mkdir_mv_rm(place: Place) -> None:
    place.ok("mkdir", f"{ROOT}/a/b/c")
    place.fs.write_file("/f", b"1")
    place.ok("mv", f"{ROOT}/f", f"{ROOT}/a")
    place.ok("mv", f"{ROOT}/a/f", f"{ROOT}/a/g")
    assert place.fs.read_file("/a/g") == b"1"
    place.ok("rm", f"{ROOT}/a/g")
    place.ok("rm", "-r", f"{ROOT}/a")
    assert place.fs.list_dir("/") == []
    assert place.ok("mkdir", "--json", f"{ROOT}/x").json == {"made": [f"{ROOT}/x"]}
    assert place.ok("mkdir", "-p", "--json", f"{ROOT}/x").json == {"made": []}
    assert place.ok("mv", "--json", f"{ROOT}/x", f"{ROOT}/y").json == {"source": f"{ROOT}/x", "target": f"{ROOT}/y"}
    assert place.ok("rm", "-rf", "--json", f"{ROOT}/y", f"{ROOT}/z").json == {"deleted": [f"{ROOT}/y"]}


def test_rm_of_a_link_leaves_what_it_leads_to(place: Place) -> None:
    place.fs.create_dir("/folder")
    place.fs.create_symlink("folder", "/link")
    place.ok("rm", "-r", f"{ROOT}/link")
    assert place.fs.list_dir("/") == ["folder"]


# --- the exit codes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls",),
        ("ls", "--nonsense", ROOT),
        ("nonsense",),
        ("ls", "/local/path"),
        ("stat", "lucidlink://demo"),
        ("ls", "lucidlink:///data"),
        ("cp", "a", "b"),
        ("cp", "a"),
        ("cp", "-j", "0", "a", ROOT),
        ("rm", "-r", ROOT),
        ("mv", ROOT, f"{ROOT}/x"),
        ("mv", f"{ROOT}/x", "lucidlink://demo/other/x"),
        ("ls", "--hub", "nonsense", ROOT),
        ("ls", "--hub", "http://hub.example.com", ROOT),
        ("ls", "--token", "nonsense", ROOT),
        ("ls", "--token", "", ROOT),
    ],
)
def test_what_cannot_be_meant_exits_with_2(place: Place, arguments: tuple[str, ...]) -> None:
    ended = place.run(*arguments)
    assert ended.code == 2, ended
    assert ended.out == ""
    assert ended.err


def test_failure_exits_with_1(place: Place) -> None:
    place.fs.create_dir("/a")
    place.fs.write_file("/f", b"")
    for arguments in (
        ("mkdir", f"{ROOT}/a"),
        ("rm", f"{ROOT}/a"),
        ("mv", f"{ROOT}/f", f"{ROOT}/f"),
        ("tree", f"{ROOT}/f"),
    ):
        ended = place.run(*arguments)
        assert (ended.code, ended.out) == (1, ""), ended
        assert ended.err.startswith("lucid: ")


def test_no_hub_exits_with_3(place: Place) -> None:
    nowhere = ("--hub", "http://127.0.0.1:9")
    ended = place.run("ls", *nowhere, ROOT)
    assert ended.code == 3
    assert "lucid hub start" in ended.err
    ended = place.run("ls", "--json", *nowhere, ROOT)
    assert (ended.code, ended.error["kind"], ended.error["exit"]) == (3, "no_hub", 3)
    assert place.run("filespace", "list", *nowhere).code == 3


def test_not_found_exits_with_4(place: Place) -> None:
    for url in (f"{ROOT}/nothing", "lucidlink://demo/nothing", "lucidlink://nothing/data"):
        assert place.run("ls", url).code == 4
    ended = place.run("cat", "--json", f"{ROOT}/nothing")
    assert (ended.code, ended.error["kind"], ended.error["path"]) == (4, "not_found", "/nothing")
    assert place.run("cp", f"{ROOT}/nothing", ".").code == 4
    assert place.run("cp", "nothing", ROOT).code == 4
    assert place.run("cp", "-r", ".", f"{ROOT}/no/folder").code == 4


def test_denied_exits_with_5(place: Place) -> None:
    place.fs.write_file("/f", b"1")
    reader = place.shell(place.tokens["READ"])
    assert reader.ok("cat", f"{ROOT}/f").out == "1"
    assert reader.run("rm", f"{ROOT}/f").code == 5
    assert reader.run("mkdir", f"{ROOT}/g").code == 5
    assert reader.run("ls", "lucidlink://demo/other").code in (4, 5)
    assert reader.run("filespace", "create", "mine").code == 5
    stranger = place.shell(Token.generate(os.urandom).text())
    ended = stranger.run("ls", ROOT)
    assert ended.code == 5
    assert stranger.run("filespace", "list").code == 5


def test_no_message_repeats_a_secret(place: Place) -> None:
    token = Token.generate(os.urandom).text()
    secret = token.rsplit(":", 1)[1]
    for arguments in (("ls", ROOT), ("filespace", "list"), ("ls", "--json", ROOT)):
        ended = place.shell(token).run(*arguments)
        assert secret not in ended.out + ended.err
        ended = place.shell(token + "x").run(*arguments)
        assert secret not in ended.out + ended.err
