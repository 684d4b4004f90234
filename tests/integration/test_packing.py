"""What the hub packs stays readable: for who comes later, for who had it open, and while everybody works."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lucidfs.hub.deleter import Deleter
from lucidfs.hub.fsck_folder import check_hub
from lucidfs.hub.hub import Hub
from lucidfs.hub.packer import Packed, Packer
from lucidfs.hub.reaper import Reaper
from lucidfs.hub.settings import HubSettings
from lucidfs.limits import FRAME_BYTES, KIB, MIB
from lucidfs.testing.hubs import HubThread, new_hub
from tests.world import World

ALWAYS = HubSettings(pack_every_s=0.05, pack_after_s=0.0, pack_gain_bytes=1, allow_private_endpoints=True)
NEVER = HubSettings(pack_every_s=3600.0, allow_private_endpoints=True)
LIMIT_S = 60.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A hub that packs when a test says so. Its data is checked at the end."""
    hub, token = new_hub(tmp_path, settings=NEVER)
    yield World(hub, token)
    hub.stop()
    assert check_hub(hub.data).problems == []


def pack(world: World) -> Packed:
    """Pack everything, and delete what nothing uses any more, without any grace."""

    async def now(hub: Hub) -> Packed:
        deleter = Deleter(hub.store, hub._cleaning, None)
        packer = Packer(
            hub, hub.database, hub.store, deleter, clock=hub.clock, fresh_id=hub.fresh_id, after_s=-60, gain_bytes=1
        )
        packed = await packer.round()
        await Reaper(hub, deleter, clock=hub.clock, grace_s=-60).round()
        return packed

    assert isinstance(world.hub, HubThread)
    return world.hub.run(now)


def test_small_files_are_read_from_packs(world: World) -> None:
    files = {f"/folder/f{number}": os.urandom(random.Random(number).randint(0, 120 * KIB)) for number in range(50)}
    with world.client() as mine, world.client() as yours:
        mine.fs.create_dir("/folder")
        for path, data in files.items():
            mine.fs.write_file(path, data)
        held = {path: yours.fs.open(path, "rb") for path in list(files)[:5]}
        assert pack(world).packs == 1
        for path, data in files.items():
            assert yours.fs.read_file(path) == data
        for path, stream in held.items():
            with stream:
                assert stream.read() == files[path]
        mine.fs.write_file("/folder/f7", b"anew" * 10_000)
        with mine.fs.open("/folder/f8", "r+b") as changed:
            changed.seek(10)
            changed.write(b"changed")
        assert yours.fs.read_file("/folder/f7") == b"anew" * 10_000
        data = files["/folder/f8"]
        assert yours.fs.read_file("/folder/f8") == data[:10] + b"changed" + data[17:]
        for path in files:
            mine.fs.delete(path)
    pack(world)
    assert check_hub(world.hub.data).stored == 0


def test_the_end_of_a_stream_is_packed(world: World) -> None:
    body = os.urandom(4 * MIB + 100_000)
    with world.client() as client:
        with client.fs.open("/big", "wb") as stream:
            stream.write(body)
        assert pack(world).packs == 1
    with world.client() as client:
        assert client.fs.read_file("/big") == body


def half_dead(world: World, path: str) -> bytes:
    """A file that uses few frames of its object; its content."""
    body = bytearray(os.urandom(4 * MIB))
    with world.client() as client:
        with client.fs.open(path, "wb") as stream:
            stream.write(body)
        with client.fs.open(path, "r+b") as stream:
            cut = os.urandom(3 * MIB)
            stream.seek(512 * KIB)
            stream.write(cut)
            body[512 * KIB : 512 * KIB + len(cut)] = cut
    return bytes(body)


def test_who_has_a_file_open_follows_its_frames(world: World) -> None:
    body = half_dead(world, "/file")
    with world.client() as client:
        reader, writer = client.fs.open("/file", "rb"), client.fs.open("/file", "r+b")
        assert pack(world).packs == 1
        assert reader.read(100) == body[:100]
        reader.seek(4 * MIB - 100)
        assert reader.read() == body[-100:]
        reader.seek(0)
        assert reader.read() == body
        writer.seek(4 * MIB - 5)
        writer.write(b"12345")  # in a frame that was packed anew
        writer.close()
        assert client.fs.read_file("/file") == body[:-5] + b"12345"
        assert reader.seek(4 * MIB - 5) and reader.read() == body[-5:]  # what was open stays as it was
        reader.close()


def test_a_file_that_was_replaced_is_not_taken_for_the_open_one(world: World) -> None:
    body = half_dead(world, "/file")
    with world.client() as client, world.client() as other:
        with client.fs.open("/file", "rb") as reader:
            other.fs.write_file("/file", os.urandom(4 * MIB))
            pack(world)
            with pytest.raises(OSError, match=r"/file is damaged at offset .*: its bytes are missing"):
                reader.read()
        assert body != client.fs.read_file("/file")


def test_a_whole_read_follows_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    body = half_dead(world, "/file")
    with world.client() as client:
        live = client.fs._link.live
        assert live is not None
        files = live.engine.files
        prefetch = files.source.prefetch
        packed: list[Packed] = []

        def meanwhile(*args: Any) -> None:
            if not packed:
                thread = threading.Thread(target=lambda: packed.append(pack(world)))
                thread.start()
                thread.join()
            prefetch(*args)

        monkeypatch.setattr(files.source, "prefetch", meanwhile)
        assert client.fs.read_file("/file") == body
        assert packed[0].packs == 1


def test_everybody_works_while_it_packs(tmp_path: Path) -> None:
    """A hub that packs all the time, and clients that write, read, change, copy and delete."""
    hub, token = new_hub(tmp_path, settings=ALWAYS)
    world = World(hub, token)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        rng = random.Random(number)
        contents: dict[str, bytes] = {}
        try:
            with world.client() as client:
                end = time.monotonic() + 6
                while time.monotonic() < end:
                    path = f"/{number}-{rng.randint(0, 20)}"
                    what = rng.choice("wwrrrcd")
                    if what == "w":
                        contents[path] = rng.randbytes(rng.choice((5_000, 60_000, 120_000, 300_000, 2 * FRAME_BYTES)))
                        client.fs.write_file(path, contents[path])
                    elif path in contents and what == "r":
                        assert client.fs.read_file(path) == contents[path], path
                    elif path in contents and what == "c":
                        at = rng.randrange(len(contents[path]))
                        with client.fs.open(path, "r+b") as stream:
                            stream.seek(at)
                            stream.write(b"x")
                        contents[path] = contents[path][:at] + b"x" + contents[path][at + 1 :]
                    elif path in contents:
                        client.fs.delete(path)
                        del contents[path]
            with world.client() as fresh:
                for path, data in contents.items():
                    assert fresh.fs.read_file(path) == data, path
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    hub.stop()
    assert errors == []
    assert check_hub(hub.data).problems == []
    assert hub.hub.metrics.text().decode().count("lucid_packs_total 0.0") == 0
