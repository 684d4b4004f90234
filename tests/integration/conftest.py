"""A hub that the SDK's tests of one module share, linked by two clients; a folder for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import lucidlink
from tests.sdk import World, world


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def filespace(shared: World) -> Iterator[lucidlink.Filespace]:
    with shared.linked() as linked:
        yield linked


@pytest.fixture(scope="module")
def second(shared: World) -> Iterator[lucidlink.Filespace]:
    """The same filespace through another client."""
    with shared.linked("second") as linked:
        yield linked


@pytest.fixture
def home(filespace: lucidlink.Filespace, request: pytest.FixtureRequest) -> str:
    """A folder of the test's own."""
    path: str = "/" + request.node.name.translate({ord(letter): "_" for letter in "/[]"})
    filespace.fs.create_dir(path)
    return path


@pytest.fixture
def fs(filespace: lucidlink.Filespace) -> lucidlink.Filesystem:
    return filespace.fs
