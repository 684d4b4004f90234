"""The hub's object folder, opened directly: when hub and client are one user of one machine, bodies need no gateway.

The hub names a file beside that folder that was made when it started, under a random name. Who finds this file at this
place, and file and folder his own and closed to others, has the same folder before him and may do there what he likes
anyway, so nothing is asked of the hub. Everybody else uses signed URLs.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from lucidfs.engine.grants import Grants
from lucidfs.engine.session import Session
from lucidfs.errors import Code, Fault
from lucidfs.objects.base import ObjectName, ObjectStat, ObjectStore
from lucidfs.objects.local import LocalStore, marked
from lucidfs.types import FilespaceId
from lucidfs.wire.messages import Welcome


class Nearest:
    """An `ObjectStore` that is the hub's own folder while that can be opened, else the one behind signed URLs.

    Args:
        session: tells at each login where the folder is; when it has ended, the folder is not used any more.
        grants: told whether they are needed.
        far: knows every object; the folder lacks those that the hub keeps in its database.
    """

    def __init__(self, session: Session, grants: Grants, far: ObjectStore) -> None:
        self._session = session
        self._grants = grants
        self._far = far
        self._near: LocalStore | None = None
        if session.welcome is not None:
            self._settle(session.welcome)
        session.on_welcome(self._settle)

    def put(self, name: ObjectName, data: bytes | bytearray | memoryview | list[bytes]) -> None:
        near = self._usable()
        if near is None:
            self._far.put(name, data)
            return
        try:
            near.put(name, data)
        except FileNotFoundError:  # a hub that starts removes what looks unfinished
            raise OSError(errno.EAGAIN, "the upload was removed while it was written") from None
        except Fault as fault:
            if fault.code is Code.DENIED:
                self._leave()
            raise

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        near = self._usable()
        if near is not None:
            try:
                return near.get(name, offset, length)
            except FileNotFoundError:
                pass
            except Fault:
                self._leave()
        return self._far.get(name, offset, length)

    def delete(self, name: ObjectName) -> None:
        self._far.delete(name)

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        return self._far.list(filespace)

    def close(self) -> None:
        self._far.close()

    def _usable(self) -> LocalStore | None:
        if not self._session.alive:
            self._leave()
        return self._near

    def _leave(self) -> None:
        self._near = None
        self._grants.optional = False

    def _settle(self, welcome: Welcome) -> None:
        self._near = open_folder(welcome.objects)
        self._grants.optional = self._near is not None


def open_folder(told: str) -> LocalStore | None:
    """The object folder whose mark the hub says is there, if this process may use it as the hub does; else None."""
    mark = Path(told)
    folder = marked(mark)
    if folder is None or not mark.is_absolute() or not hasattr(os, "geteuid"):
        return None
    try:
        proof, found = mark.lstat(), folder.lstat()
        ours = proof.st_uid == found.st_uid == os.geteuid()
        closed = stat.S_ISREG(proof.st_mode) and stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
        return LocalStore(folder) if ours and closed else None
    except (OSError, ValueError, Fault):
        return None
