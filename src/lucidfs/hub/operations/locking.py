"""How operations meet locks: those of the caller must be held, those of others must not be in the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lucidfs.errors import Code, Fault
from lucidfs.hub.operations.scene import Blocked, Scene
from lucidfs.types import Access
from lucidfs.wire.messages import Wait


def check_held(scene: Scene, wait: Wait) -> None:
    """The locks that a request relies on are held. Raises Fault(FENCED)."""
    for lock in wait.locks:
        if not scene.locks.holds(scene.caller.session, lock):
            raise Fault(Code.FENCED, "the lock that this relied on is gone: nothing was changed")


def check_unlocked(scene: Scene, node: int, access: Access, ranges: Sequence[tuple[int, int]] | None) -> None:
    """No lock of another session forbids this use of a file (see `LockView.blocked`). Raises Blocked."""
    if scene.locks.blocked(node, scene.caller.session, access, ranges):
        raise Blocked((node,))


def check_free(scene: Scene, nodes: Iterable[int]) -> None:
    """No other session holds any lock on the nodes. Raises Blocked, naming all that are locked."""
    session = scene.caller.session
    locked = [node for node in nodes if scene.locks.any_lock(node, session)]
    if locked:
        raise Blocked(locked)


def check_unreserved(scene: Scene, parent: int, token: bytes) -> None:
    """No other session has reserved the name. Raises Fault(EXISTS)."""
    if scene.locks.reserved(parent, token, scene.caller.session):
        raise Fault(Code.EXISTS, "the name is reserved by another client that is creating it")
