"""Where the faults happen: a hub process, writer processes, and the check of everything they were told."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import lucidlink
from lucidfs.hub.bootstrap import DATABASE_FILE
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.testing.fsck import problems
from lucidfs.testing.hubs import new_data
from tests.faults import journal
from tests.faults.hub import ROOT, FaultHub
from tests.faults.journal import LINE, Account, State
from tests.world import Client, World

ROUNDS = int(os.environ.get("LUCID_FAULT_ROUNDS", "8"))
SESSION_LIMIT_S = 4.0
THREADS = 2  # of one writer
LINE_BYTES = len(LINE.format(0, 0))
_PROGRESS_S = 60.0  # in which every writer gets an operation done, on whatever machine
_SETTLE_S = 10.0  # what a killed process had sent may be applied a moment later


class Load:
    """One writer process.

    Args:
        field: where.
        numbers: one for each of its threads.
    """

    def __init__(self, field: Field, numbers: list[int]) -> None:
        self.numbers = numbers
        self.folder = tempfile.TemporaryDirectory()  # what a killed process leaves behind goes with it
        where = [field.hub.url, field.world.token, field.world.name, str(field.journals)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.writer", *where, *map(str, numbers)],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": self.folder.name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_ready(self) -> None:
        """Returns when it works."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", "a writer did not start"

    @property
    def failed(self) -> bool:
        """Whether it ended by itself, which it never does without an error."""
        return self.process.poll() is not None

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self._end()

    def finish(self) -> int:
        """Let it finish what it does and end; the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(120)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.folder.cleanup()
        return code


class Field:
    """A hub process, its writers, and a client that looks.

    Args:
        folder: local.
        session_limit_s: of the hub.
    """

    def __init__(self, folder: Path, session_limit_s: float = SESSION_LIMIT_S) -> None:
        data, token = new_data(folder)
        self.journals = folder / "journals"
        self.journals.mkdir()
        self.hub = FaultHub(data, session_limit_s)
        self.world = World(self.hub, token)
        self.random = random.Random(os.urandom(8))
        self.loads: list[Load] = []
        self.tally: Counter[str] = Counter()
        self._numbers = itertools.count(1)
        self._client: Client | None = None
        self.fs.create_dir("/guards")
        self.fs.write_file("/log", b"")

    @property
    def fs(self) -> lucidlink.Filesystem:
        """What the looking client sees."""
        if self._client is None:
            self._client = self.world.client()
        return self._client.fs

    def start(self) -> Load:
        """One more writer; returns when it works."""
        numbers = list(itertools.islice(self._numbers, THREADS))
        for number in numbers:
            self.fs.write_file(f"/guards/{number}", b"")
        load = Load(self, numbers)
        self.loads.append(load)
        load.wait_ready()
        return load

    @staticmethod
    def rounds(least: int, share: int = 4) -> int:
        """How many rounds a test makes that has a share of all."""
        return max(least, ROUNDS // share)

    def let_work(self) -> None:
        """Some operations of every writer, then a moment of random length: what comes next hits anywhere."""
        paths = [self.journals / f"{number}.journal" for load in self.loads for number in load.numbers]
        sizes = [_size(path) for path in paths]
        end = time.monotonic() + _PROGRESS_S
        while any(_size(path) == size for path, size in zip(paths, sizes, strict=True)):
            assert not any(load.failed for load in self.loads), "a writer met an error: see above"
            assert time.monotonic() < end, "a writer stands still"
            time.sleep(0.01)
        time.sleep(self.random.uniform(0.0, 0.5))
        self.tally["rounds"] += 1
        assert not any(load.failed for load in self.loads), "a writer met an error: see above"
        assert self.hub.alive, "the hub ended by itself"

    def kill_writer(self) -> None:
        """Kill one, check all that it was told, start another."""
        load = self.loads.pop(self.random.randrange(len(self.loads)))
        load.kill()
        self.tally["clients killed"] += 1
        self.check(load)
        self.start()

    def kill_hub(self) -> None:
        """Kill it and start it on what is there."""
        self.hub.kill()
        self.tally["hubs killed"] += 1
        self.hub.start()

    def check(self, load: Load) -> None:
        """Everything that a writer which is no more was told, then its locks; then its folders go."""
        for number in load.numbers:
            account = journal.read(self.journals / f"{number}.journal")
            self.tally["operations"] += account.done
            self.tally["refused"] += account.refused
            self.tally["unknown"] += len(account.states) - 1
            if account.done or account.refused or self.fs.dir_exists(f"/{number}"):
                self._check_folder(number, account.states)
            self._check_lines(number, account)
            guard = f"/guards/{number}"
            with self.fs.open(guard, "r+b", lock_type="exclusive", lock_timeout=SESSION_LIMIT_S + _SETTLE_S):
                self.tally["locks free"] += 1
            self.fs.delete(guard)

    def close(self) -> None:
        """End what runs, by force."""
        for load in self.loads:
            load.kill()
        self.loads.clear()
        if self._client is not None:
            self._client.close()
            self._client = None
        self.hub.stop()

    def finish(self) -> None:
        """Let all end in order, check all that they were told, and the rows of the hub."""
        loads, self.loads = self.loads, []
        codes = [load.finish() for load in loads]
        assert codes == [0] * len(loads), "a writer met an error: see above"
        for load in loads:
            self.check(load)
        log = self.fs.read_file("/log").decode()
        assert len(log) % LINE_BYTES == 0
        self.close()
        self.tally["clean"] += check_rows(self.hub.data)

    def _check_folder(self, number: int, states: list[State]) -> None:
        end = time.monotonic() + _SETTLE_S
        while (found := self._state(number)) not in states:  # it may be applied between two of our own calls
            if time.monotonic() > end:
                raise AssertionError(f"/{number} is in no allowed state: {_difference(found, states)}")
        self.fs.delete_dir(f"/{number}", recursive=True)

    def _state(self, number: int) -> State | None:
        try:
            return {
                entry.name: None if entry.is_dir() else self.fs.read_file(f"/{number}/{entry.name}")
                for entry in self.fs.read_dir(f"/{number}")
            }
        except FileNotFoundError:
            return None

    def _check_lines(self, number: int, account: Account) -> None:
        log = self.fs.read_file("/log").decode()
        lines = [log[at : at + LINE_BYTES].split() for at in range(0, len(log), LINE_BYTES)]
        assert all(len(line) == 2 for line in lines), "a line of the log is torn"
        own = [int(which) for who, which in lines if int(who) == number]
        assert own in (account.lines, [*account.lines, account.open_line]), f"writer {number}'s lines"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def check_rows(data: Path) -> int:
    """Whether the database of a hub that has ended keeps all its invariants; how many filespaces it has."""
    database = SqliteDatabase(data / DATABASE_FILE)
    try:
        with database.read() as tx:
            assert tx.locks() == []
            filespaces = [each.id for workspace in tx.workspaces() for each in tx.filespaces(workspace.id)]
            for filespace in filespaces:
                assert problems(tx, filespace) == []
    finally:
        database.close()
    return len(filespaces)


def _difference(found: State | None, states: list[State]) -> str:
    """What is where, without the bytes."""

    def sizes(state: State | None) -> object:
        return state and {name: data if data is None else (len(data), hash(data)) for name, data in state.items()}

    return f"found {sizes(found)}\nallowed {[sizes(state) for state in states]}"
