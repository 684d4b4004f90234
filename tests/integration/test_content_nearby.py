"""A client on the hub's machine moves bodies without the gateway, and still reaches all that only the hub has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lucidfs.engine import nearby
from lucidfs.errors import Code, Fault
from lucidfs.limits import MIB
from lucidfs.objects.base import ObjectName
from lucidfs.objects.local import LocalStore
from tests.world import World


@pytest.mark.folder
def test_bodies_do_not_pass_the_gateway(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a body went through the gateway")

    monkeypatch.setattr("lucidfs.objects.signed.SignedStore.put", refuse)
    monkeypatch.setattr("lucidfs.objects.signed.SignedStore.get", refuse)
    data = os.urandom(9 * MIB)
    with world.client() as client:
        client.fs.write_file("/file", data)
    with world.client() as client:
        assert client.fs.read_file("/file") == data


def test_what_stands_in_the_database_comes_through_the_gateway(world: World) -> None:
    data = bytearray(os.urandom(9 * MIB))
    with world.client() as client:
        client.fs.write_file("/file", data)
        with client.fs.open("/file", "r+b") as file:
            file.seek(MIB)
            file.write(b"patch")
    data[MIB : MIB + 5] = b"patch"
    with world.client() as client:
        assert client.fs.read_file("/file") == data


@pytest.mark.folder
def test_both_ways_lead_to_the_same_objects(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(9 * MIB)
    with world.client() as client:
        client.fs.write_file("/near", data)
    monkeypatch.setattr(nearby, "open_folder", lambda told: None)
    with world.client() as client:
        assert client.fs.read_file("/near") == data
        client.fs.write_file("/far", data)
    monkeypatch.undo()
    with world.client() as client:
        assert client.fs.read_file("/far") == data


class Closed(LocalStore):
    """A folder that this process may no longer use."""

    def put(self, name: ObjectName, data: bytes | bytearray | memoryview | list[bytes]) -> None:
        raise Fault(Code.DENIED, "closed")

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        raise Fault(Code.DENIED, "closed")


@pytest.mark.folder
def test_a_folder_that_closes_meanwhile_is_left_for_the_gateway(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearby, "open_folder", lambda told: Closed(tmp_path / "closed"))
    data = os.urandom(9 * MIB)
    with world.client() as client:
        client.fs.write_file("/file", data)
    with world.client() as client:
        assert client.fs.read_file("/file") == data
