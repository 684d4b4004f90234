"""A hub and a driver for the tests of one module; a folder for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lucidlink.fsspec import LucidLinkFileSystem
from tests.sdk import World, world


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def driver(shared: World) -> Iterator[LucidLinkFileSystem]:
    fs = LucidLinkFileSystem(token=shared.tokens["admin"], hub=shared.hub.url, skip_instance_cache=True)
    yield fs
    fs.close()


@pytest.fixture
def home(driver: LucidLinkFileSystem, request: pytest.FixtureRequest) -> str:
    """A folder of the test's own."""
    name = request.node.name.translate({ord(letter): "_" for letter in "/[]*?.:"})
    path = f"demo/data/{name}"
    driver.makedirs(path)
    return path
