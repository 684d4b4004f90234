"""`lucid connect` as a shell runs it, against a real S3 server; and mirrors that follow their bucket."""

from __future__ import annotations

import json

import pytest

from tests.integration.lucid import Lucid
from tests.s3.kit import Bucket
from tests.world import Client


def url(client: Client, path: str = "") -> str:
    return f"lucidlink://demo/{client.filespace.name}{path}"


def test_a_data_store_from_first_to_last(shell: Lucid, client: Client, bucket: Bucket) -> None:
    where = f"s3://{bucket.client.bucket.name}"
    bucket.put("raw/a.bin", b"hello")
    added = shell.run("connect", "add", url(client), "films", where, "--endpoint", bucket.server.endpoint)
    assert (added.code, added.err) == (0, "")
    assert "films" in added.out
    assert shell.run("connect", "link", url(client, "/x/a.bin"), "films", "raw/a.bin").code == 0
    assert shell.run("cat", url(client, "/x/a.bin")).out == "hello"
    listed = shell.run("connect", "list", url(client), "--json").json
    assert [(store["name"], store["files"]) for store in listed] == [("films", 1)]
    assert bucket.server.secret_key not in json.dumps(listed)
    assert json.loads(shell.run("connect", "ls", url(client), "films", "--json").out) == {
        "path": "/x/a.bin",
        "key": "raw/a.bin",
        "size": 5,
    }
    assert "raw/a.bin" in shell.run("connect", "ls", url(client), "films").out
    assert shell.run("connect", "rekey", url(client), "films").code == 0
    refused = shell.run("connect", "remove", url(client), "films")
    assert refused.code == 1
    assert "1 files" in refused.err
    assert shell.run("connect", "unlink", url(client, "/x/a.bin")).code == 0
    assert shell.run("connect", "remove", url(client), "films").code == 0
    assert shell.run("connect", "list", url(client)).out == ""


def test_mistakes(shell: Lucid, client: Client, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell.run("connect", "add", url(client), "films", "bucket").code == 2
    assert shell.run("connect", "link", url(client, "/a"), "films").code == 2
    assert shell.run("connect", "link", url(client, "/a"), "films", "key").code == 4
    assert shell.run("connect", "mirror", "s3://nowhere/x", url(client, "/m")).code == 4
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    wrong = shell.run(
        "connect", "add", url(client), "films", f"s3://{bucket.client.bucket.name}",
        "--endpoint", bucket.server.endpoint,
    )  # fmt: skip
    assert wrong.code == 2
    assert "secret_key" in wrong.err
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    none = shell.run("connect", "add", url(client), "films", "s3://bucket")
    assert none.code == 2
    assert "AWS_SECRET_ACCESS_KEY" in none.err


def test_a_mirror_follows_its_bucket(shell: Lucid, client: Client, bucket: Bucket, store: str) -> None:
    fs, source = client.fs, f"s3://{bucket.client.bucket.name}/set/"
    for key in ("set/a", "set/sub/b", "set/c", "set/folder/", "other/x", "set/../up"):
        bucket.put(key, key.encode())

    def run(*more: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
        done = shell.run("connect", "mirror", source, url(client, "/m"), "--json", *more)
        assert done.code == 0, done.err
        *changes, total = [json.loads(line) for line in done.out.splitlines()]
        return total, [(each["change"], each["path"]) for each in changes]

    total, changes = run("--dry-run")
    assert (total["linked"], total["skipped"]) == (3, 1)
    assert not fs.file_exists("/m/a")
    total, changes = run()
    assert sorted(changes) == [
        ("link", "/m/a"),
        ("link", "/m/c"),
        ("link", "/m/sub/b"),
        ("skip", "set/../up: is no path"),
    ]
    assert fs.read_file("/m/sub/b") == b"set/sub/b"
    assert run()[1] == [("skip", "set/../up: is no path")]

    bucket.put("set/a", b"other")  # of the same size as nothing else tells
    bucket.client.delete("set/c")
    bucket.put("set/new", b"new")
    total, changes = run()
    assert sorted(changes)[:2] == [("change", "/m/a"), ("link", "/m/new")]
    assert (total["vanished"], total["unlinked"]) == (1, 0)
    assert fs.read_file("/m/a") == b"other"
    assert fs.file_exists("/m/c")
    total, changes = run("--delete")
    assert ("unlink", "/m/c") in changes
    assert fs.list_dir("/m") == ["a", "new", "sub"]

    fs.delete("/m/new")
    fs.write_file("/m/new", b"an own file")
    total, changes = run()
    assert ("skip", "/m/new: exists already") in changes
    assert fs.read_file("/m/new") == b"an own file"


def test_http_links(shell: Lucid, client: Client) -> None:
    refused = shell.run("connect", "link", url(client, "/a"), "http://127.0.0.1:1/x")
    assert refused.code in (1, 2, 3)
    assert not client.fs.file_exists("/a")
