"""fsspec's abstract suites, in full."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.tests import abstract

from lucidlink.fsspec import LucidLinkFileSystem


class Fixtures(abstract.AbstractFixtures):
    @pytest.fixture
    def fs(self, driver: LucidLinkFileSystem) -> Iterator[LucidLinkFileSystem]:
        yield driver

    @pytest.fixture
    def fs_path(self) -> str:
        return "demo/data/abstract"

    @pytest.fixture
    def fs_sanitize_path(self):  # type: ignore[no-untyped-def]
        return lambda path: path

    @pytest.fixture
    def local_path(self, tmp_path: Path) -> str:
        return str(tmp_path)


class TestCopy(abstract.AbstractCopyTests, Fixtures):
    pass


class TestGet(abstract.AbstractGetTests, Fixtures):
    pass


class TestPut(abstract.AbstractPutTests, Fixtures):
    pass


class TestOpen(abstract.AbstractOpenTests, Fixtures):
    pass


class TestPipe(abstract.AbstractPipeTests, Fixtures):
    pass
