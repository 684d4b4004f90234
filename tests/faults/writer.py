"""A client under load in a process of its own: `python -m tests.faults.writer URL TOKEN FILESPACE FOLDER NUMBER …`.

One thread for each NUMBER: it works in `/NUMBER` and at the end of `/log`, and keeps its journal in FOLDER. It ends
when stdin does. An error that a fault of this kind must not cause is printed, and ends the process with 1.
"""

from __future__ import annotations

import errno
import os
import random
import sys
import threading
import traceback
from pathlib import Path

import lucidlink
from tests.faults.journal import LINE, Journal, Operation, State, apply, content

SIZES = [0, 1, 300, 4_000, 70_000, 200_000]  # the last goes to the object store
FILES_MAX = 12
GUARD = "/guards/{}"  # a file that its writer locks while it works


class Writer:
    """One thread's work.

    Args:
        fs: where.
        number: names the folder; no other writer has it.
        folder: local, for the journal.
    """

    def __init__(self, fs: lucidlink.Filesystem, number: int, folder: Path) -> None:
        self._fs = fs
        self._number = number
        self._random = random.Random(f"{number} {os.urandom(8).hex()}")
        self._journal = Journal(folder / f"{number}.journal")
        self._state: State = {}
        self._lines = 0
        self._seed = 0

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop."""
        self._fs.create_dir(f"/{self._number}")
        while not stop.is_set():
            if self._random.random() < 0.15:
                self._look()
            else:
                self._step(self._choose())

    def _step(self, operation: Operation) -> None:
        self._journal.note(operation)
        try:
            if self._random.random() < 0.15:
                self._guarded(operation)
            else:
                self._do(operation)
        except OSError as error:
            if error.errno != errno.ESTALE:  # the lock was lost: what relied on it must not have been applied
                raise
            self._journal.note(False)
            return
        self._journal.note(True)
        apply(self._state, operation)

    def _guarded(self, operation: Operation) -> None:
        with self._fs.open(GUARD.format(self._number), "ab", lock_type="exclusive"):
            self._do(operation)

    def _do(self, operation: Operation) -> None:
        kind, name, *more = operation
        fs, path = self._fs, f"/{self._number}/{name}"
        if kind == "write":
            fs.write_file(path, content(*more))
        elif kind == "create":
            with fs.open(path, "xb") as file:
                file.write(content(*more))
        elif kind == "stream":
            data = content(*more)
            with fs.open(path, "wb") as file:
                for at in range(0, len(data), 50_000):
                    file.write(data[at : at + 50_000])
        elif kind == "append":
            with fs.open(path, "ab") as file:
                file.write(content(*more))
        elif kind == "patch":
            with fs.open(path, "r+b") as file:
                file.seek(more[0])
                file.write(content(*more[1:]))
        elif kind == "line":
            with fs.open("/log", "ab") as file:
                file.write(LINE.format(self._number, more[0]).encode())
        else:
            self._names(kind, path, *more)

    def _names(self, kind: str, path: str, *more: object) -> None:
        if kind == "truncate":
            assert isinstance(more[0], int)
            self._fs.truncate(path, more[0])
        elif kind == "folder":
            self._fs.create_dir(path)
        elif kind == "delete":
            (self._fs.delete if path.rpartition("/")[2].startswith("file") else self._fs.delete_dir)(path)
        else:
            self._fs.move(path, f"/{self._number}/{more[0]}")

    def _choose(self) -> Operation:
        pick = self._random.choice
        files = [name for name, data in self._state.items() if data is not None]
        size = self._random.choices(SIZES, [1, 1, 4, 4, 2, 1])[0]
        seed = self._number * 1_000_000 + self._next_seed()
        kind = pick(["write", "create", "stream", "append", "patch", "truncate", "folder", "delete", "move", "line"])
        if kind == "line":
            self._lines += 1
            return ["line", "", self._lines]
        if kind in ("delete", "move") and self._state:
            name = pick(sorted(self._state))
            return [kind, name] if kind == "delete" else [kind, name, f"{name.partition('-')[0]}-{self._seed}"]
        if len(files) >= FILES_MAX:
            return ["delete", pick(files)]
        if kind == "folder":
            return ["folder", f"folder-{self._seed}"]
        if not files or kind in ("create", "delete", "move"):
            return ["create", f"file-{self._seed}", seed, size]
        name = pick(files)
        length = len(self._state[name] or b"")
        if kind == "patch":
            return ["patch", name, self._random.randint(0, length), seed, size]
        if kind == "truncate":
            return ["truncate", name, self._random.randint(0, length + 1000)]
        return [kind, name, seed, size]

    def _next_seed(self) -> int:
        self._seed += 1
        return self._seed

    def _look(self) -> None:
        """Compare one file, or the names, with what they must be."""
        names = sorted(self._state)
        if self._fs.list_dir(f"/{self._number}") != names:
            raise AssertionError(f"/{self._number} has other names than {names}")
        files = [name for name in names if self._state[name] is not None]
        if files:
            name = self._random.choice(files)
            found = self._fs.read_file(f"/{self._number}/{name}")
            if found != self._state[name]:
                raise AssertionError(f"/{self._number}/{name}: {len(found)} bytes are not what was written")


def work(fs: lucidlink.Filesystem, number: int, folder: Path, stop: threading.Event) -> None:
    """A thread: any error is the end of the process."""
    try:
        Writer(fs, number, folder).run(stop)
    except BaseException:  # noqa: BLE001 - whatever it is, the test must see it
        sys.stderr.write(f"writer {number}:\n{traceback.format_exc()}")
        sys.stderr.flush()
        os._exit(1)


def main() -> None:
    url, token, name, folder, *numbers = sys.argv[1:]
    with lucidlink.create_daemon({"hub.url": url}) as daemon:
        workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(token=token))
        with workspace.link_filespace(name=name) as filespace:
            stop = threading.Event()
            threads = [
                threading.Thread(target=work, args=(filespace.fs, int(number), Path(folder), stop))
                for number in numbers
            ]
            for thread in threads:
                thread.start()
            print("ready", flush=True)
            sys.stdin.read()
            stop.set()
            for thread in threads:
                thread.join()


if __name__ == "__main__":
    main()
