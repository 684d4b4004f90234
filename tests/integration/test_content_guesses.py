"""Writing where a folder was seen: one round trip, and never in another place than the path leads to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from lucidfs.engine.places import Places
from lucidfs.errors import Code, Fault
from tests.contents import Client, Hubs, in_process


class Calls:
    """The requests of one client, by name."""

    def __init__(self, client: Client) -> None:
        self.names: list[str] = []
        original = client.engine.session.call

        async def call(body: Any, **options: Any) -> Any:
            self.names.append(type(body).__name__)
            return await original(body, **options)

        client.engine.session.call = call  # type: ignore[method-assign]

    def since(self) -> list[str]:
        names, self.names = self.names, []
        return names


async def _two(hubs: Hubs) -> tuple[Client, Client, Calls]:
    """Two clients, of which the first has seen the folder /d."""
    mine, yours = await hubs.client(), await hubs.client("other")
    await yours.engine.tree.make_folders("/d")
    await mine.files.write_file("/d/seen", b"seen")
    return mine, yours, Calls(mine)


def test_a_new_small_file_in_a_known_folder_costs_one_round_trip(tmp_path: Path) -> None:
    async def test() -> None:
        async with in_process(tmp_path) as hubs:
            mine, yours, calls = await _two(hubs)
            await mine.files.write_file("/d/new", b"new")
            assert calls.since() == ["Create"]
            assert await yours.files.read_file("/d/new") == b"new"
            await mine.files.write_file("/d/new", b"newer")
            assert calls.since() == ["Walk", "Commit"], "what is known to be there is looked up, not guessed"
            assert await yours.files.read_file("/d/new") == b"newer"

    asyncio.run(test())


def test_a_folder_that_was_moved_away_is_not_written_to(tmp_path: Path) -> None:
    async def test() -> None:
        async with in_process(tmp_path) as hubs:
            mine, yours, calls = await _two(hubs)
            await yours.engine.tree.move("/d", "/old")
            with pytest.raises(Fault) as refused:
                await mine.files.write_file("/d/new", b"new")
            assert refused.value.code is Code.NOT_FOUND
            await yours.engine.tree.make_folders("/d")
            await mine.files.write_file("/d/new", b"new")
            calls.since()
            await mine.files.write_file("/d/more", b"more")
            assert calls.since() == ["Create"], "the new folder is known now"
            assert [node.name for node in await yours.engine.tree.list("/d")] == ["more", "new"]
            assert [node.name for node in await yours.engine.tree.list("/old")] == ["seen"]

    asyncio.run(test())


def test_a_link_in_the_place_of_a_known_folder_is_followed(tmp_path: Path) -> None:
    async def test() -> None:
        async with in_process(tmp_path) as hubs:
            mine, yours, _ = await _two(hubs)
            await yours.engine.tree.move("/d", "/old")
            await yours.engine.tree.make_folders("/real")
            await yours.engine.tree.make_link("/real", "/d")
            await mine.files.write_file("/d/new", b"new")
            assert await yours.files.read_file("/real/new") == b"new"
            assert [node.name for node in await yours.engine.tree.list("/old")] == ["seen"]

    asyncio.run(test())


def test_what_another_client_made_meanwhile_is_replaced_or_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with in_process(tmp_path) as hubs:
            mine, yours, _ = await _two(hubs)
            await yours.files.write_file("/d/file", b"theirs")
            await yours.engine.tree.make_folders("/d/folder")
            await yours.files.write_file("/d/target", b"old")
            await yours.engine.tree.make_link("target", "/d/link")
            await mine.files.write_file("/d/file", b"mine")
            assert await yours.files.read_file("/d/file") == b"mine"
            await mine.files.write_file("/d/link", b"through")
            assert await yours.files.read_file("/d/target") == b"through"
            with pytest.raises(Fault) as refused:
                await mine.files.write_file("/d/folder", b"mine")
            assert refused.value.code is Code.IS_A_FOLDER

    asyncio.run(test())


def test_guesses_are_bounded() -> None:
    places = Places()
    for number in range(70_000):
        places.saw((f"d{number}", "f"), None, object())  # type: ignore[arg-type]
        places.taken((f"d{number}", "g"))
    assert (len(places._folders), len(places._taken)) == (4096, 65_536)
    assert places.folder_for(("d69999", "f")) is not None
    assert places.folder_for(("d69999", "g")) is None
    assert places.folder_for(("d0", "f")) is None
    assert places.folder_for(()) is None
