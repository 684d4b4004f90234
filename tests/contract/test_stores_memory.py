"""The store in memory keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lucidfs.objects.memory import MemoryStore
from lucidfs.testing.store_suite import StoreSuite


class TestMemoryStore(StoreSuite):
    @pytest.fixture
    def store(self) -> Iterator[MemoryStore]:
        store = MemoryStore()
        yield store
        store.close()
