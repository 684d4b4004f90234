"""The checker of histories: what it must accept and what it must refuse, each in a few calls."""

from __future__ import annotations

from collections.abc import Hashable

import pytest

from lucidfs.testing.sim.content import Half, entries, make, one, slots
from lucidfs.testing.sim.history import NEVER, History, Model, Op, Unexplained, check
from lucidfs.testing.sim.models import Counter, Folder, Log, Slots, WholeFile


def op(began: int, ended: int, name: str, *args: Hashable, result: Hashable = None, outcome: str = "ok") -> Op:
    return Op("c", name, args, began, ended, result, outcome)


def explained(model: Model, *ops: Op) -> bool:
    try:
        check(History("subject", model, list(ops)))
    except Unexplained:
        return False
    return True


def test_a_read_after_a_write_returned_sees_it() -> None:
    write = op(1, 2, "write", 7)
    assert explained(WholeFile(), write, op(3, 4, "read", result=7))
    assert not explained(WholeFile(), write, op(3, 4, "read", result=8))
    assert not explained(WholeFile(), write, op(3, 4, "read", outcome="NOT_FOUND"))


def test_a_read_beside_a_write_sees_it_or_not_but_never_goes_back() -> None:
    old, new = op(1, 2, "write", 7), op(3, 10, "write", 8)
    assert explained(WholeFile(), old, new, op(4, 5, "read", result=7), op(6, 7, "read", result=8))
    assert not explained(WholeFile(), old, new, op(4, 5, "read", result=8), op(6, 7, "read", result=7))


def test_a_call_without_an_answer_happens_at_any_time_or_never_but_once() -> None:
    lost = op(1, NEVER, "append", 7, outcome="unknown")
    read = [op(2, 3, "read", result=()), op(4, 5, "read", result=(7,))]
    assert explained(Log(), lost, *read)
    assert explained(Log(), lost, read[0])
    assert not explained(Log(), lost, *read, op(6, 7, "read", result=()))
    assert not explained(Log(), lost, *read, op(6, 7, "read", result=(7, 7)))


def test_a_deadline_that_passed_leaves_the_call_open() -> None:
    late = op(1, 2, "append", 7, outcome="unknown")
    assert explained(Log(), late, op(3, 4, "read", result=()), op(5, 6, "read", result=(7,)))


def test_what_was_refused_did_nothing() -> None:
    assert not explained(WholeFile(), op(1, 2, "write", 7, outcome="none"), op(3, 4, "read", result=7))


def test_disjoint_patches_both_survive() -> None:
    one_slot, other = op(1, 5, "patch", ((0, 7),)), op(2, 6, "patch", ((1, 8),))
    assert explained(Slots(2), one_slot, other, op(7, 8, "read", result=(7, 8)))
    assert not explained(Slots(2), one_slot, other, op(7, 8, "read", result=(0, 8)))


def test_of_two_that_count_from_one_number_one_is_wrong() -> None:
    assert explained(Counter(), op(1, 4, "add", result=1), op(2, 5, "add", result=2))
    assert not explained(Counter(), op(1, 4, "add", result=1), op(2, 5, "add", result=1))


def test_of_two_that_create_one_name_one_is_told() -> None:
    assert explained(Folder(), op(1, 4, "create", "a"), op(2, 5, "create", "a", outcome="EXISTS"))
    assert not explained(Folder(), op(1, 4, "create", "a"), op(2, 5, "create", "a"))
    assert not explained(Folder(), op(1, 2, "create", "a", outcome="EXISTS"))


def test_a_moved_entry_is_in_one_place() -> None:
    made, moved = op(1, 2, "create", "a"), op(3, 6, "move", "a", "b")
    assert explained(Folder(), made, moved, op(4, 5, "list", result=frozenset({"b"})))
    assert not explained(Folder(), made, moved, op(4, 5, "list", result=frozenset({"a", "b"})))


def test_contents_tell_when_anything_is_wrong_with_them() -> None:
    whole = make(5, 3000)
    assert one(whole) == 5
    assert entries(whole + make(6, 40)) == (5, 6)
    assert slots(make(5, 64) + bytes(64), 64) == (5, 0)
    swapped = whole[:1024] + whole[2048:] + whole[1024:2048]
    for wrong in (b"", whole[:-1], whole[1024:], swapped, whole[:1500] + make(6, 3000)[1500:], bytes(3000)):
        with pytest.raises(Half):
            one(wrong)
