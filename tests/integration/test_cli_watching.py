"""`lucid status` and `lucid locks` as processes: what each account may see of what goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lucidfs.hub.settings import HubSettings
from lucidfs.testing.hubs import HubThread, new_hub
from lucidfs.types import Role
from tests.integration.lucid import Lucid
from tests.world import World


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HubThread, str]]:
    hub, token = new_hub(tmp_path_factory.mktemp("hub"), settings=HubSettings(sweep_every_s=0.05))
    yield hub, token
    hub.stop()


@pytest.fixture
def world(hub: tuple[HubThread, str]) -> World:
    return World(*hub)


def test_status_tells_each_what_it_may_see(world: World, tmp_path: Path) -> None:
    admin, reader = Lucid(world.url, world.token, tmp_path), Lucid(world.url, world.new_account(Role.READ), tmp_path)
    other = world.new_filespace()
    with world.client() as client:
        client.fs.create_dir("/folder")
        client.fs.write_file("/folder/file", b"12345")
        with client.fs.open("/folder/file", "r+b", lock_type="exclusive"):
            seen = admin.ok("status", "--json").json
            known = reader.ok("status", "--json").json
            text = admin.ok("status").out
    assert (seen["workspace"], seen["locks"], seen["locks_waiting"], seen["changes_waiting"]) == ("demo", 1, 0, 0)
    filespaces = {each["name"]: each for each in seen["filespaces"]}
    assert {world.name, other} <= filespaces.keys()
    assert [filespaces[world.name][key] for key in ("files", "folders", "links", "data_bytes")] == [1, 1, 0, 5]
    (shown,) = [each for each in seen["clients"] if each["filespace"] == world.name]
    assert (shown["account"], shown["connected"], shown["locks"]) == ("admin", True, 1)
    assert {each["name"] for each in known["filespaces"]} == {world.name}
    assert known["clients"] == [] and known["locks"] == 1
    assert world.name in text and "1 locks held" in text


def test_status_shows_uploads_that_nobody_committed(world: World, tmp_path: Path) -> None:
    admin = Lucid(world.url, world.token, tmp_path)
    with world.client() as client:
        stream = client.fs.open("/recording", "wb")
        for _ in range(8):
            stream.write(bytes(range(256)) * 4096)
        while admin.ok("status", "--json").json["uploads"]["objects"] == 0:
            pass  # bounded by the test's own time limit
        uploads = admin.ok("status", "--json").json["uploads"]
        assert uploads["bytes"] > 0 and uploads["leftover"] == uploads["stuck"] == 0 and uploads["oldest"]
        assert "uploads without a commit at " in admin.ok("status").out
        stream.close()
    while admin.ok("status", "--json").json["uploads"]["objects"]:
        pass


def test_locks_are_told_with_their_paths(world: World, tmp_path: Path) -> None:
    admin, reader = Lucid(world.url, world.token, tmp_path), Lucid(world.url, world.new_account(Role.READ), tmp_path)
    root = f"lucidlink://demo/{world.name}"
    with world.client() as client:
        client.fs.create_dir("/deep")
        client.fs.create_dir("/deep/er")
        for path in ("/deep/er/a", "/b"):
            client.fs.write_file(path, b"x" * 100)
        with client.fs.open("/deep/er/a", "r+b", lock_type="exclusive"), client.fs.open("/b", "r+b") as b:
            client.fs.lock_byte_range(b, 10, 20, "shared")
            everything = admin.ok("locks", "--json").json
            here = reader.ok("locks", root, "--json").json
            below = admin.ok("locks", f"{root}/deep", "--json").json
            text = admin.ok("locks", root).out
            assert admin.ok("locks", f"{root}/dee").out == ""
    assert {each["url"] for each in everything} >= {f"{root}/deep/er/a", f"{root}/b"}
    told = {each["url"]: (each["mode"], each["offset"], each["length"], each["waiting"]) for each in here}
    assert told == {f"{root}/deep/er/a": ("exclusive", 0, 0, False), f"{root}/b": ("shared", 10, 20, False)}
    assert [each["url"] for each in below] == [f"{root}/deep/er/a"]
    assert "10-29" in text and "holds" in text
    assert admin.ok("locks", root).out == ""


def test_who_has_no_role_sees_no_locks(world: World, tmp_path: Path) -> None:
    stranger = Lucid(world.url, world.new_account(Role.READ), tmp_path)
    other = world.new_filespace()
    assert stranger.run("locks", f"lucidlink://demo/{other}").code == 4
    assert stranger.run("locks", "lucidlink://elsewhere").code == 4
    assert stranger.run("locks", "/tmp").code == 2
    assert Lucid("http://127.0.0.1:9", world.token, tmp_path).run("status").code == 3


def test_a_workspace_admin_without_a_role_sees_nodes(world: World, tmp_path: Path) -> None:
    admin = Lucid(world.url, world.token, tmp_path)
    made = admin.ok("account", "create", f"ops-{world.name}", "--workspace-admin", "--json").json
    ops = Lucid(world.url, made["token"], tmp_path)
    with world.client() as client:
        client.fs.write_file("/f", b"x")
        with client.fs.open("/f", "r+b", lock_type="exclusive"):
            (told,) = ops.ok("locks", f"lucidlink://demo/{world.name}", "--json").json
            text = ops.ok("locks", f"lucidlink://demo/{world.name}").out
    assert told["url"] is None and told["account"] == "admin"
    assert f"{world.name}: node {told['node']}" in text
