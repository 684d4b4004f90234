"""A daemon's folder on this machine: made when it starts, removed by the process that made it and no other."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from collections import Counter
from pathlib import Path

from lucidlink import _fork
from lucidlink.storage import StorageConfig, StorageMode

PREFIX = "lucidlink-"
LUCID = ".lucid"


class _Users:
    """How many daemons of this process use a folder, because the first to stop must not remove it under the others."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: Counter[Path] = Counter()
        _fork.watch(self)

    def after_fork(self) -> None:
        self.lock = threading.Lock()


_users = _Users()


class LocalFolder:
    """Where a running daemon keeps its files.

    Args:
        storage: which kind, where, and whether the files stay.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, storage: StorageConfig) -> None:
        self._process = os.getpid()
        self._sandboxed = storage.mode is StorageMode.SANDBOXED
        self._cleanup = storage.should_cleanup()
        self._used: set[Path] = set()
        base = storage.get_root_path()
        if self._sandboxed:
            self.root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))  # 0700
        else:
            base.mkdir(parents=True, exist_ok=True)
            self.root = base

    def of_filespace(self, filespace: str) -> Path:
        """The folder of one filespace, made if it is not there; only its owner may look into it.

        It holds what can be fetched again, so a disk that has no room for it is no error: it is missing then.
        """
        path = self.root / LUCID / filespace
        with contextlib.suppress(OSError):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._process == os.getpid():
            with _users.lock:
                if path not in self._used:
                    self._used.add(path)
                    _users.counts[path] += 1
        return path

    def remove(self) -> None:
        """Remove what is this daemon's alone, unless it is to stay. In a forked child this does nothing."""
        if self._process != os.getpid():
            return
        with _users.lock:
            unused = [path for path in self._used if _users.counts[path] == 1]
            _users.counts.subtract(self._used)
            _users.counts += Counter()  # drops the zeros
            self._used.clear()
            if not self._cleanup:
                return
            if self._sandboxed:
                shutil.rmtree(self.root, ignore_errors=True)
                return
            for path in unused:
                shutil.rmtree(path, ignore_errors=True)
            if (self.root / LUCID).is_dir() and not any((self.root / LUCID).iterdir()):
                (self.root / LUCID).rmdir()
