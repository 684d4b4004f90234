"""What users run on top: each library on a real hub, by `pip install -e '.[ecosystem]' && pytest tests/ecosystem`.

Plain `pytest` does not look in here, because the libraries weigh a gigabyte. Nothing is skipped: a library that is
missing fails. `--libraries FILE` writes the table of docs/LIBRARIES.md from the outcomes.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lucidlink
from lucidlink.fsspec import LucidLinkFileSystem
from tests.sdk import World, world


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(autouse=True)
def environment(shared: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Token and hub where every driver finds them, and a working folder in which nothing may appear."""
    monkeypatch.setenv("LUCIDLINK_TOKEN", shared.tokens["admin"])
    monkeypatch.setenv("LUCIDLINK_HUB", shared.hub.url)
    here = tmp_path / "working-folder"
    here.mkdir()
    monkeypatch.chdir(here)
    yield
    assert not list(here.iterdir()), "a library wrote to a local path"
    for used in list(LucidLinkFileSystem._cache.values()):
        used.close()


@pytest.fixture
def driver() -> LucidLinkFileSystem:
    return LucidLinkFileSystem()


@pytest.fixture
def home(driver: LucidLinkFileSystem, request: pytest.FixtureRequest) -> str:
    """A folder of the test's own, as `workspace/filespace/path`."""
    name = f"{request.node.path.stem}-{request.node.name}"
    path = "demo/data/" + name.translate({ord(letter): "_" for letter in "/[]*?.: "})
    driver.makedirs(path)
    return path


@pytest.fixture
def url(home: str) -> str:
    return f"lucidlink://{home}"


@pytest.fixture
def fs(shared: World) -> Iterator[lucidlink.Filesystem]:
    """The SDK's files, without fsspec."""
    with shared.linked("admin") as filespace:
        yield filespace.fs


@pytest.fixture
def folder(home: str) -> str:
    """`home` as the SDK sees it."""
    return "/" + home.split("/", 2)[2]


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """A table of some MiB: numbers that do not compress, text that does."""
    chance = np.random.default_rng(1)
    count = 200_000
    return pd.DataFrame(
        {
            "id": np.arange(count),
            "value": chance.random(count),
            "other": chance.random(count),
            "kind": chance.choice(["red", "green", "blue"], count),
            "text": [f"row {number} of many" for number in range(count)],
        }
    )


# --- the table --------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--libraries", metavar="FILE", help="write the table of libraries there")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "library(name, what): which library is used for what")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:  # their warnings are theirs, and what they forget to close too
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("default"))


OUTCOMES = pytest.StashKey[dict[tuple[str, str], str]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    outcomes = item.config.stash.setdefault(OUTCOMES, {})
    for mark in item.iter_markers("library"):
        if report.failed or report.when == "call":
            key = mark.args[0], mark.args[1]
            outcomes[key] = "fails" if report.failed or outcomes.get(key) == "fails" else "works"
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    target = session.config.getoption("--libraries")
    outcomes = session.config.stash.get(OUTCOMES, {})
    if not target or not outcomes:
        return
    rows = [f"| {name} | {_version(name)} | {what} | {result} |" for (name, what), result in sorted(outcomes.items())]
    Path(session.config.rootpath, target).write_text(
        "# Libraries\n\n"
        "Written by `pytest tests/ecosystem --libraries docs/LIBRARIES.md`: what was run, over `lucidlink://` or on\n"
        f"streams of `filespace.fs.open`, with Python {platform.python_version()}.\n\n"
        "| library | version | what was run | result |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "Python's own"
