"""What users run on top: each library on a real hub, by `pip install -e '.[ecosystem]' && pytest tests/ecosystem`.

Plain `pytest` does not look in here, because the libraries weigh a gigabyte. Nothing is skipped: a library that is
missing fails. `--libraries FILE` writes the outcomes into the table of docs/LIBRARIES.md; rows of what was not run
stay as they are.

The folder `heavy` holds what weighs gigabytes or holds others back to old versions, and is entered only when named:
`pip install -e '.[ecosystem,ecosystem-heavy]' && pytest tests/ecosystem/heavy`. From PyPI, Linux gets a torch with
CUDA; `--extra-index-url https://download.pytorch.org/whl/cpu` finds a smaller one.
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


LIBRARY = "library"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--libraries", metavar="FILE", help="write the table of libraries there")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{LIBRARY}(name, what): which library is used for what")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    named = any("heavy" in argument for argument in config.args)
    return True if collection_path == Path(__file__).parent / "heavy" and not named else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:  # their warnings are theirs, and what they forget to close too
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("default"))
            item.user_properties += [(LIBRARY, tuple(mark.args[:2])) for mark in item.iter_markers(LIBRARY)]


outcomes: dict[tuple[str, str], str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What ran here or in a worker of xdist."""
    for kind, value in report.user_properties:
        if kind == LIBRARY and (report.failed or report.when == "call"):
            name, what = value
            outcomes[name, what] = "fails" if report.failed or outcomes.get((name, what)) == "fails" else "works"


def pytest_sessionfinish(session: pytest.Session) -> None:
    target = session.config.getoption("--libraries")
    if not target or not outcomes or hasattr(session.config, "workerinput"):  # xdist's workers leave it to their head
        return
    path = Path(session.config.rootpath, target)
    rows = dict(_rows(path.read_text())) if path.exists() else {}
    for (name, what), result in outcomes.items():
        rows[name, what] = f"| {name} | {_version(name)} | {what} | {result} |"
    path.write_text(
        "# Libraries\n\n"
        "Written by `pytest tests/ecosystem --libraries docs/LIBRARIES.md` and the same with `tests/ecosystem/heavy`:\n"
        "what was run, over `lucidlink://` or on streams of `filespace.fs.open`, with Python "
        f"{platform.python_version()}.\n\n"
        "| library | version | what was run | result |\n|---|---|---|---|\n"
        + "\n".join(row for _, row in sorted(rows.items()))
        + "\n"
    )


def _rows(table: str) -> Iterator[tuple[tuple[str, str], str]]:
    for line in table.splitlines():
        match line.strip("| ").split(" | "):
            case [name, _, what, "works" | "fails"]:
                yield (name, what), line


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "Python's own"
