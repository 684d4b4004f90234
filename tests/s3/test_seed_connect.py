"""The Connect section of the quick start, run as it stands (see tests/seeds.py) against a real S3 server."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.s3.kit import Bucket
from tests.seeds import runnable, snippets
from tests.world import Client, World

CONNECT = re.compile(r"connect\.|S3DataStoreConfig")


def test_the_connect_section(
    s3_world: World, client: Client, bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [code for code in snippets() if CONNECT.search(code)]
    assert len(found) == 1
    bucket.put("dataset1_file1.csv", b"a,b\n1,2\n")
    bucket.put("other.csv", b"c,d\n")
    connect = client.filespace.connect
    server = bucket.server
    code = runnable(found[0], s3_world.token, {}, f"demo/{client.filespace.name}")
    for said, real in (
        ("AKIA...", server.access_key),
        ('secret_key="..."', f'secret_key="{server.secret_key}"'),
        ('"my-bucket"', f'"{bucket.client.bucket.name}"'),
        ('"us-east-1",', f'"us-east-1", endpoint="{server.endpoint}",'),
    ):
        assert said in code
        code = code.replace(said, real)
    # What the text takes for given: /data/file.csv was linked before it is read, and nothing else of the data store is
    # left when that is removed.
    linking, reading = code.split("# Read linked files")
    listing, removing = reading.split("# Remove data store")
    scope: dict[str, Any] = {"filespace": client.filespace}
    exec(compile(linking, "<connect: link>", "exec"), scope)
    connect.link_file("/data/file.csv", "my-store", "other.csv")
    exec(compile("# Read linked files" + listing, "<connect: read>", "exec"), scope)
    assert scope["content"] == b"c,d\n"
    printed = capsys.readouterr().out.split()
    assert sorted(printed) == ["/data/file.csv", "/proj1/dataset1/file1.csv", "/proj1/dataset1/large.bin"]
    assert not client.fs.file_exists("/data/file.csv")
    assert client.fs.read_file("/proj1/dataset1/file1.csv") == b"a,b\n1,2\n"
    assert client.fs.get_entry("/proj1/dataset1/large.bin").size == 1_048_576
    for name in ("file1.csv", "large.bin"):
        connect.unlink_file(f"/proj1/dataset1/{name}")
    exec(compile(removing, "<connect: remove>", "exec"), scope)
    assert connect.list_data_stores() == []
