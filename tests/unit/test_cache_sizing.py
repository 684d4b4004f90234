"""The default size of the memory cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucidfs.engine.cache.sizing import default_memory_bytes
from lucidfs.limits import MIB


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(str(512 * MIB), 64 * MIB), (str(2048 * MIB), 128 * MIB), ("1", 64 * MIB), (str(4096 * MIB), 256 * MIB)],
)
def test_a_container_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, expected: int) -> None:
    monkeypatch.setattr("os.sysconf", lambda name: {"SC_PHYS_PAGES": 8 * 1024 * 1024, "SC_PAGE_SIZE": 4096}[name])
    (tmp_path / "memory.max").write_text(limit + "\n")
    assert default_memory_bytes(tmp_path / "memory.max") == expected


def test_the_machine_decides_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    for pages, expected in ((256 * 1024, 64), (1024 * 1024, 256), (64 * 1024 * 1024, 1024)):
        told = {"SC_PHYS_PAGES": pages, "SC_PAGE_SIZE": 4096}
        monkeypatch.setattr("os.sysconf", lambda name, told=told: told[name])
        assert default_memory_bytes(tmp_path / "memory.max") == expected * MIB
        assert default_memory_bytes(tmp_path / "missing") == expected * MIB


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr("os.sysconf", refuse)
    assert default_memory_bytes() == 256 * MIB
