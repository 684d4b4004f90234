"""Bugs to plant: each is a mistake that one could make in good faith, and breaks one promise."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from lucidfs.engine import bodies, handle, locks, publish
from lucidfs.errors import Fault
from lucidfs.hub import committer, exclusion, login, requests
from lucidfs.hub.operations import changing
from lucidfs.namespace import content, extents, packing
from lucidfs.wire.messages import Extent

Mutation = Callable[[pytest.MonkeyPatch], None]


def a_lost_reply_is_applied_twice(patch: pytest.MonkeyPatch) -> None:
    """The hub does not remember which changes it has applied."""

    def settle(self: requests.Change, fault: Any, original: Any = requests.Change.settle) -> None:
        original(self, fault)
        self.session.replies.pop(self.seq, None)

    patch.setattr(requests.Change, "settle", settle)


def a_commit_comes_before_its_objects(patch: pytest.MonkeyPatch) -> None:
    """The engine commits while its uploads are still under way."""
    uploads = set()

    async def put(self: bodies.Bodies, object: int, make: Any, original: Any = bodies.Bodies.put) -> None:
        body = make()
        task = asyncio.ensure_future(original(self, object, lambda: body))
        uploads.add(task)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())

    patch.setattr(bodies.Bodies, "put", put)


def fencing_is_left_out(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks whether the lock that a change relies on is still held."""

    def held(self: locks.Locks, number: int) -> list[int]:
        return [each.id for each in self._held.get(number, []) if each.id]

    patch.setattr(locks.Locks, "held", held)
    patch.setattr(changing, "check_held", lambda scene, wait: None)


def an_extent_is_off_by_one_frame(patch: pytest.MonkeyPatch) -> None:
    """Where an extent is cut, the rest begins a frame too late in its object."""

    def split(extent: Extent, first: int, end: int, original: Any = extents.split) -> Extent:
        part: Extent = original(extent, first, end)
        if first > extent.first:
            part = msgspec.structs.replace(part, offset=part.offset + part.lengths[0])
        return part

    patch.setattr(extents, "split", split)


def a_reader_mixes_two_revisions(patch: pytest.MonkeyPatch) -> None:
    """Each read looks at the newest content."""

    async def read(self: handle.Handle, offset: int, view: memoryview, original: Any = handle.Handle.read) -> int:
        if not self._writable:
            with contextlib.suppress(Fault):
                await self.refresh()
        count: int = await original(self, offset, view)
        return count

    patch.setattr(handle.Handle, "read", read)


def a_change_is_answered_before_it_is_durable(patch: pytest.MonkeyPatch) -> None:
    """The hub answers, then commits."""

    def commit(self: committer.Committer, results: committer.Results) -> None:
        for job, fault in results:
            job.settle(fault)
        asyncio.get_running_loop().call_later(0.05, late, self)

    def late(self: committer.Committer) -> None:
        self._database.commit()
        self._committed([], None)

    patch.setattr(committer.Committer, "_commit_here", commit)


def a_commit_does_not_compare(patch: pytest.MonkeyPatch) -> None:
    """A client replaces the whole map without naming the revision that it changed, so what others wrote is lost."""

    async def commit(self: Any, target: Any, node: Any, made: Any, original: Any = publish.Publisher._commit) -> Any:
        return await original(self, target, node, made._replace(base=0, told=made.final, clears=[], whole=True))

    patch.setattr(publish.Publisher, "_commit", commit)


def a_lock_keeps_nobody_out(patch: pytest.MonkeyPatch) -> None:
    """The hub sees no conflicts between locks, and none between locks and commits."""
    patch.setattr(exclusion.Held, "excludes", lambda self, other: False)
    patch.setattr(exclusion.Need, "blocked_by", lambda self, held: False)


def replies_are_forgotten_with_their_session(patch: pytest.MonkeyPatch) -> None:
    """A client whose session has expired is not told what of it was applied."""
    patch.setattr(login.OpenSession, "_applied", lambda self, tx: [])


def what_is_replaced_still_counts_as_used(patch: pytest.MonkeyPatch) -> None:
    """Objects never die, because replaced extents are not subtracted."""

    def draft(tree: Any, space: int, new: Any, removed: Any, *rest: Any, original: Any = content.draft_objects) -> Any:
        return original(tree, space, new, [], *rest)

    patch.setattr(content, "draft_objects", draft)


def a_pack_does_not_look_again(patch: pytest.MonkeyPatch) -> None:
    """What a client writes while its file is being packed is replaced by what was copied before."""

    def row_of(tree: Any, filespace: int, each: packing.Shift, original: Any = packing._row_of) -> Any:
        row = tree.node(each.node)
        return original(tree, filespace, each if row is None else each._replace(revision=row.revision))

    patch.setattr(packing, "_row_of", row_of)


MUTANTS: list[Mutation] = [
    a_lost_reply_is_applied_twice,
    a_commit_comes_before_its_objects,
    fencing_is_left_out,
    an_extent_is_off_by_one_frame,
    a_reader_mixes_two_revisions,
    a_change_is_answered_before_it_is_durable,
    a_commit_does_not_compare,
    a_lock_keeps_nobody_out,
    replies_are_forgotten_with_their_session,
    what_is_replaced_still_counts_as_used,
    a_pack_does_not_look_again,
]
