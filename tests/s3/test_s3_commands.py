"""The commands that make, show and look after a filespace in a bucket, as a shell runs them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lucidfs.hub.settings import HubSettings
from lucidfs.testing.hubs import HubThread, ProcessHub, new_data
from lucidfs.testing.s3 import RadosGateway
from tests.integration.lucid import Lucid
from tests.s3.place import SETTINGS, Place, made_bucket


@pytest.fixture
def place(s3_server: RadosGateway) -> Iterator[Place]:
    with made_bucket(s3_server) as made:
        yield made


class WithKeys(Lucid):
    """A shell with the keys of the bucket in its environment."""

    keys: tuple[str, str]

    def environment(self) -> dict[str, str]:
        access, secret = self.keys
        own = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
        return {**super().environment(), **{name: value for name, value in own.items() if value}}


@pytest.fixture
def shell(place: Place, tmp_path: Path) -> Iterator[WithKeys]:
    data, token = new_data(tmp_path)
    hub = HubThread(data, settings=SETTINGS)
    found = WithKeys(hub.url, token, tmp_path)
    found.keys = (place.server.access_key, place.server.secret_key)
    yield found
    hub.stop()


def test_a_filespace_in_a_bucket_from_the_shell(place: Place, shell: WithKeys) -> None:
    where = ["--store", f"s3://{place.name}/a/b/", "--endpoint", place.server.endpoint, "--region", "us-east-1"]
    made = shell.ok("filespace", "create", "archive", *where)
    url = f"s3://{place.name}/a/b"
    assert made.out.rstrip().endswith(f"its objects in {url}") and not made.err
    shell.ok("filespace", "create", "near")
    (shell.folder / "file").write_bytes(bytes(range(256)) * 20_000)
    shell.ok("cp", "file", "lucidlink://demo/archive/file")
    shell.ok("cp", "lucidlink://demo/archive/file", "back")
    assert (shell.folder / "back").read_bytes() == (shell.folder / "file").read_bytes()
    assert all(found.key.startswith("a/b/") for found in place.objects()) and place.objects()

    rows = [line.split() for line in shell.ok("filespace", "list").out.splitlines()[1:]]
    assert [(row[0], row[-1]) for row in rows] == [("archive", url), ("near", "hub")]
    shown = shell.ok("filespace", "show", "archive")
    assert url in shown.out and place.server.endpoint in shown.out and "path addresses" in shown.out
    assert "store     hub" in shell.ok("filespace", "show", "near").out
    told = shell.ok("filespace", "show", "archive", "--json").json["store"]
    assert told["url"] == url and told["conditional"] is True
    assert url in shell.ok("status").out
    assert place.server.secret_key not in shown.out + str(told) + made.out

    assert shell.run("hub", "fsck", "--data", shell.folder / "hub").code == 1  # it may not go to a private address
    assert shell.ok("hub", "fsck", "--data", shell.folder / "hub", "--allow-private-endpoints").out.startswith("0 ")
    backup = shell.ok("hub", "backup", "copy", "--data", shell.folder / "hub").out
    assert "not copied: " in backup and "stay in their S3 buckets" in backup


def test_what_cannot_be_meant_is_said(place: Place, shell: WithKeys) -> None:
    endpoint = ("--endpoint", place.server.endpoint)
    for wrong in ("http://bucket", "s3:///prefix", "bucket", ""):
        assert "s3://BUCKET/PREFIX" in _refused(shell, 2, "--store", wrong, *endpoint)
    assert "no such bucket" in _refused(shell, 4, "--store", "s3://no-such-bucket", *endpoint)
    shell.keys = (place.server.access_key, "wrong")
    assert "the secret key is wrong" in _refused(shell, 5, "--store", f"s3://{place.name}", *endpoint)
    shell.keys = (place.server.access_key, "")
    assert "AWS_SECRET_ACCESS_KEY" in _refused(shell, 2, "--store", f"s3://{place.name}", *endpoint)
    assert shell.ok("filespace", "list").out == ""


def _refused(shell: WithKeys, code: int, *options: str) -> str:
    done = shell.run("filespace", "create", "archive", *options)
    assert done.code == code, done.err
    return done.err


def test_a_hub_process_allows_private_endpoints_when_it_is_told_to(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, token = new_data(tmp_path)
    store = f"s3://{place.name}", "--endpoint", place.server.endpoint
    for allowed in (False, True):
        if allowed:
            monkeypatch.setenv("LUCID_HUB_ALLOW_PRIVATE_ENDPOINTS", "1")
        hub = ProcessHub(data)
        try:
            shell = WithKeys(hub.url, token, tmp_path)
            shell.keys = (place.server.access_key, place.server.secret_key)
            done = shell.run("filespace", "create", "archive", "--store", *store)
            assert done.code == (0 if allowed else 5), done.err
            assert allowed or "--allow-private-endpoints" in done.err
        finally:
            hub.stop()
    assert not HubSettings().allow_private_endpoints


def test_a_move_from_the_shell(place: Place, shell: WithKeys) -> None:
    shell.ok("filespace", "create", "data")
    (shell.folder / "file").write_bytes(os.urandom(300_000))
    shell.ok("cp", "file", "lucidlink://demo/data/file")
    assert shell.ok("filespace", "move-store", "data", "--to", "local", "--json").json["state"] == "none"
    assert "--to s3://BUCKET/PREFIX" in shell.run("filespace", "move-store", "data", "--to", "elsewhere").err
    to = ["--to", f"s3://{place.name}/moved", "--endpoint", place.server.endpoint, "--no-wait"]
    told = shell.ok("filespace", "move-store", "data", *to, "--json").json
    assert (told["state"], told["place"], told["other"]) == ("copying", "local", f"s3://{place.name}/moved")
    again = shell.ok("filespace", "move-store", "data", *to).out  # asks how far it is
    assert again.startswith(f"local to s3://{place.name}/moved: ")
    assert shell.run("filespace", "move-store", "data", "--to", "s3://third", "--no-wait").code == 1
    back = shell.ok("filespace", "move-store", "data", "--to", "local", "--no-wait").out
    assert back.startswith(f"s3://{place.name}/moved to local: ")
    shell.ok("cp", "lucidlink://demo/data/file", "back")
    assert (shell.folder / "back").read_bytes() == (shell.folder / "file").read_bytes()
