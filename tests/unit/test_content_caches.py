"""The caches keep to their bounds, and the one on disk survives restarts, damage and company."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lucidfs.engine.cache.disk import DiskCache
from lucidfs.engine.cache.memory import MemoryCache
from lucidfs.limits import KIB, MIB


def _disk(folder: Path, bytes_max: int = MIB) -> DiskCache:
    return DiskCache(folder, bytes_max, os.urandom)


def _frame(number: int, size: int = 1000) -> bytes:
    return number.to_bytes(4, "big") * (size // 4)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 3000)), max_size=60))
def test_memory_stays_within_its_bound_and_answers_truly(puts: list[tuple[int, int]]) -> None:
    cache = MemoryCache(10_000)
    sizes = {}
    for number, size in puts:
        cache.put((1, number, 1), _frame(number, size) or b"x")
        sizes[number] = len(_frame(number, size) or b"x")
        assert cache.bytes_held <= 10_000
    for number, size in sizes.items():
        plain = cache.get((1, number, 1))
        assert plain is None or len(plain) == size
    if puts:
        assert cache.get((1, puts[-1][0], 1)) is not None, "the last one stays"


def test_memory_forgets_the_least_recently_used_first() -> None:
    cache = MemoryCache(3 * (1000 + 256))
    for number in (1, 2, 3):
        cache.put((1, number, 1), _frame(number))
    assert cache.get((1, 1, 1)) is not None
    cache.put((1, 4, 1), _frame(4))
    assert cache.get((1, 2, 1)) is None
    assert cache.get((1, 1, 1)) is not None


def test_memory_lets_go_of_what_was_used_for_the_last_time() -> None:
    cache = MemoryCache(10_000)
    cache.put_all({(1, number, 1): _frame(number) for number in (1, 2, 3)})
    assert cache.get((1, 2, 1), last_use=True) == _frame(2)
    assert cache.get_all([(1, 1, 1), (1, 2, 1), (1, 3, 1)]) == [_frame(1), None, _frame(3)]
    assert cache.bytes_held == 2 * (1000 + 256)


def test_disk_gives_back_what_it_was_given_also_after_a_restart(tmp_path: Path) -> None:
    cache = _disk(tmp_path / "cache")
    frames = [((9, number, 5), _frame(number)) for number in range(50)]
    cache.put(frames)
    for again in (cache, _disk(tmp_path / "cache")):
        assert [again.get(key) for key, _ in frames] == [sealed for _, sealed in frames]
        assert again.get((9, 50, 5)) is None
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_disk_is_bounded_while_it_fills_and_after_a_restart_with_less(tmp_path: Path) -> None:
    cache = _disk(tmp_path, 256 * KIB)
    for number in range(1000):
        cache.put([((9, number, 5), _frame(number, 4000))])
        assert cache.bytes_held <= 256 * KIB
    on_disk = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert on_disk <= 256 * KIB
    assert cache.get((9, 999, 5)) == _frame(999, 4000)
    assert cache.get((9, 0, 5)) is None
    assert _disk(tmp_path, 64 * KIB).bytes_held <= 64 * KIB


def test_disk_keeps_segments_in_use_longer(tmp_path: Path) -> None:
    cache = _disk(tmp_path, 256 * KIB)
    cache.put([((1, 1, 1), _frame(1, 4000))])
    for number in range(300):
        cache.put([((2, number, 1), _frame(number, 4000))])
        assert cache.get((1, 1, 1)) is not None, "read all the time, so never the least recently used"


def test_a_torn_end_costs_only_what_is_torn(tmp_path: Path) -> None:
    cache = _disk(tmp_path)
    cache.put([((1, number, 1), _frame(number)) for number in range(3)])
    cache.close()
    (segment,) = tmp_path.iterdir()
    os.truncate(segment, segment.stat().st_size - 10)
    again = _disk(tmp_path)
    assert [again.get((1, number, 1)) is not None for number in range(3)] == [True, True, False]


def test_foreign_and_empty_files_are_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "aa.segment").write_bytes(os.urandom(5000))
    (tmp_path / "bb.segment").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("mine")
    cache = _disk(tmp_path)
    cache.put([((1, 1, 1), _frame(1))])
    assert cache.get((1, 1, 1)) == _frame(1)
    assert (tmp_path / "notes.txt").exists()


def test_two_processes_share_a_folder_within_the_bound(tmp_path: Path) -> None:
    first, second = _disk(tmp_path, 256 * KIB), _disk(tmp_path, 256 * KIB)
    for number in range(400):
        first.put([((1, number, 1), _frame(number, 4000))])
        second.put([((2, number, 1), _frame(number, 4000))])
    on_disk = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert on_disk <= 2 * 256 * KIB, "each knows of the other's segments when it begins one of its own"
    for cache, origin in ((first, 1), (second, 2)):
        for number in range(400):
            assert cache.get((origin, number, 1)) in (None, _frame(number, 4000))


def test_a_dropped_frame_is_gone(tmp_path: Path) -> None:
    cache = _disk(tmp_path)
    cache.put([((1, 1, 1), _frame(1))])
    assert cache.has((1, 1, 1))
    cache.drop((1, 1, 1))
    assert not cache.has((1, 1, 1))
    assert cache.get((1, 1, 1)) is None


def test_threads_put_at_once_and_each_finds_its_frames(tmp_path: Path) -> None:
    cache = _disk(tmp_path, 64 * MIB)

    def work(origin: int) -> None:
        for number in range(0, 400, 8):
            cache.put([((origin, n, 1), _frame(n, 4000)) for n in range(number, number + 8)])
            assert cache.get((origin, number, 1)) == _frame(number, 4000)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for again in (cache, _disk(tmp_path, 64 * MIB)):
        for origin in range(4):
            assert all(again.get((origin, n, 1)) == _frame(n, 4000) for n in range(400))
