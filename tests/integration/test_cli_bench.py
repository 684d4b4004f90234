"""`lucid bench` measures every line of its table, and leaves the filespace as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucidfs.testing.hubs import HubThread
from tests.integration.lucid import Lucid
from tests.world import World

SMALL = ("--size", "2", "--files", "5", "--calls", "3", "-j", "2")


@pytest.fixture
def lucid(world: World, tmp_path: Path) -> Lucid:
    assert isinstance(world.hub, HubThread)
    return Lucid(world.url, world.token, tmp_path)


def test_figures_as_json(world: World, lucid: Lucid) -> None:
    with world.client() as client:
        client.fs.create_dir("/there")
        figures = lucid.ok("bench", *SMALL, "--json", f"lucidlink://demo/{world.name}/there").json
        assert client.fs.read_dir("/there") == []
    assert len(figures) == 13
    assert all(figure["value"] > 0 for figure in figures)
    assert {figure["unit"] for figure in figures} == {"MiB/s", "files/s", "ms"}
    assert all(figure["slow_ms"] >= figure["value"] for figure in figures if figure["slow_ms"] is not None)


def test_figures_as_a_table(world: World, lucid: Lucid) -> None:
    lines = lucid.ok("bench", *SMALL, f"lucidlink://demo/{world.name}").out.splitlines()
    assert len(lines) == 14
    assert lines[0].split() == ["result", "slowest", "of", "100"]
    assert lines[1].startswith("write 2 MiB ")
    assert lines[-1].startswith("rename ")


def test_only_a_folder_that_is_there_is_measured(world: World, lucid: Lucid) -> None:
    with world.client() as client:
        client.fs.write_file("/file", b"")
        before = client.fs.list_dir("/")
        for path in ("missing", "file"):
            assert lucid.run("bench", *SMALL, f"lucidlink://demo/{world.name}/{path}").code not in (0, 2)
        assert client.fs.list_dir("/") == before
    assert lucid.run("bench", "/tmp").code == 2
