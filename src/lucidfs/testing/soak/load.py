"""One client of the soak: `python -m lucidfs.testing.soak.load URL NUMBER SECONDS SHARE`; LUCIDLINK_TOKEN is set."""

from __future__ import annotations

import errno
import os
import random
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable

import lucidlink
from lucidfs.limits import KIB, MIB
from lucidfs.testing.soak.settings import FILESPACE

_FILES = 24  # names that all clients share: enough to meet each other, few enough to meet often
_FOLDERS = 4
_LARGE_BYTES = 3 * MIB
_CACHES = {"fs.cache.size": "64", "fs.cache.memory": "16"}  # so that a leak does not hide behind them
_LOCK_S = 20.0
_RACES = {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR, errno.ESTALE, errno.ETIMEDOUT}


class Broken(Exception):
    """What was read is not what somebody wrote."""


class Client:
    """The load of one process.

    Args:
        url, token: of the hub.
        number: of this client; the seed of what it does.
        share: of one core that it may use.
    """

    def __init__(self, url: str, token: str, number: int, share: float) -> None:
        self._daemon = lucidlink.create_daemon({"hub.url": url, **_CACHES})
        self._token = token
        self._number = number
        self._share = share
        self._linking = threading.RLock()
        self.done: Counter[str] = Counter()
        self.failures: list[str] = []
        self._daemon.start()
        self._link()

    def run(self, seconds: float) -> None:
        """Go on for that long with two threads."""
        end_s = time.monotonic() + seconds
        threads = [threading.Thread(target=self._work, args=(2 * self._number + n, end_s)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._daemon.stop()

    def _link(self) -> None:
        workspace = self._daemon.authenticate(lucidlink.ServiceAccountCredentials(self._token))
        self._filespace = workspace.link_filespace(name=FILESPACE)
        self.fs = self._filespace.fs

    def _work(self, seed: int, end_s: float) -> None:
        choice, began_s = random.Random(seed), time.monotonic()
        operations = _OPERATIONS if seed % 2 else [*_OPERATIONS, (relink, 0.02), (fork, 0.1)]
        names = [operation for operation, _ in operations]
        weights = [weight for _, weight in operations]
        while time.monotonic() < end_s:
            operation = choice.choices(names, weights)[0]
            try:
                operation(self, choice)
                self.done[operation.__name__] += 1
            except (OSError, lucidlink.LucidLinkError) as error:
                if not self._expected(error):
                    self.failures.append(f"{operation.__name__}: {error!r}")
            except Exception as error:  # noqa: BLE001 - told at the end; the load goes on
                self.failures.append(f"{operation.__name__}: {error!r}")
            while time.process_time() > self._share * (time.monotonic() - began_s) + 1 and time.monotonic() < end_s:
                time.sleep(0.02)

    def _expected(self, error: Exception) -> bool:
        """Whether it is what a race with another client, or with a relink of this one, looks like."""
        relinked = isinstance(error, lucidlink.FilespaceError) or "unlinked" in str(error)
        return relinked or getattr(error, "errno", None) in _RACES or isinstance(error, TimeoutError)

    def relink(self) -> None:
        """Unlink, and link again; the other thread meets that."""
        with self._linking:
            self._filespace.unlink()
            self._link()


def _path(choice: random.Random) -> str:
    return f"/folder{choice.randrange(_FOLDERS)}/file{choice.randrange(_FILES)}"


def _sealed(choice: random.Random, size: int) -> bytes:
    """Bytes that tell whether they are whole: half noise, half easily compressed."""
    body = choice.randbytes(size // 2) + bytes(size - size // 2)
    return zlib.crc32(body).to_bytes(4, "big") + body


def _check(path: str, data: bytes) -> None:
    if data and zlib.crc32(data[4:]).to_bytes(4, "big") != data[:4]:
        raise Broken(f"{path}: {len(data)} bytes that nobody wrote")


def small_write(client: Client, choice: random.Random) -> None:
    path = _path(choice)
    if not client.fs.dir_exists(path.rpartition("/")[0]):
        client.fs.create_dir(path.rpartition("/")[0])
    client.fs.write_file(path, _sealed(choice, choice.randrange(16 * KIB)))


def large_write(client: Client, choice: random.Random) -> None:
    data = _sealed(choice, choice.randrange(_LARGE_BYTES))
    with client.fs.open(_path(choice), "wb") as file:
        for start in range(0, len(data), 200_000):
            file.write(data[start : start + 200_000])


def half_write(client: Client, choice: random.Random) -> None:
    file = client.fs.open(_path(choice), "wb")
    file.write(choice.randbytes(choice.randrange(_LARGE_BYTES)))
    if choice.random() < 0.5:
        file.abort()  # else it is dropped without a close: nothing is published either


def append(client: Client, choice: random.Random) -> None:
    with client.fs.open(f"/log{choice.randrange(3)}", "ab") as log:
        if log.tell() > 512 * KIB:
            log.truncate(0)
        log.write(b"%032d\n" % choice.randrange(10**9))


def patch(client: Client, choice: random.Random) -> None:
    with client.fs.open("/patched", "ab"):
        pass
    with client.fs.open("/patched", "r+b") as file:
        file.seek(choice.randrange(_LARGE_BYTES))
        file.write(choice.randbytes(choice.randrange(1, 5000)))


def read_whole(client: Client, choice: random.Random) -> None:
    path = _path(choice)
    _check(path, client.fs.read_file(path))


def read_twice(client: Client, choice: random.Random) -> None:
    path = _path(choice)
    with client.fs.open(path, "rb") as file:
        first = file.read()
        file.seek(0)
        if file.read() != first:
            raise Broken(f"{path}: changed under a reader")
    _check(path, first)


def read_parts(client: Client, choice: random.Random) -> None:
    with client.fs.open("/patched", "rb", buffering=0) as file:
        for _ in range(10):
            file.seek(choice.randrange(_LARGE_BYTES))
            file.read(4 * KIB)


def look(client: Client, choice: random.Random) -> None:
    for entry in client.fs.read_dir("/"):
        if entry.is_dir():
            client.fs.read_dir(f"/{entry.name}")
    client.fs.get_statistics()


def whole_lock(client: Client, choice: random.Random) -> None:
    kind = choice.choice(("shared", "exclusive"))
    with client.fs.open("/locked", "ab" if kind == "exclusive" else "rb", lock_type=kind, lock_timeout=_LOCK_S) as file:
        if kind == "exclusive":
            file.write(b"x")


def range_lock(client: Client, choice: random.Random) -> None:
    with client.fs.open("/ranges", "ab"):
        pass
    with client.fs.open("/ranges", "r+b") as file:
        start = choice.randrange(100)
        if client.fs.lock_byte_range(file, start, 10, blocking=False):
            file.seek(start)
            file.write(b"0123456789")
            file.flush()
            client.fs.unlock_byte_range(file, start, 10)


def move(client: Client, choice: random.Random) -> None:
    client.fs.move(_path(choice), _path(choice))


def delete(client: Client, choice: random.Random) -> None:
    client.fs.delete(_path(choice))


def delete_folder(client: Client, choice: random.Random) -> None:
    client.fs.delete_dir(f"/folder{choice.randrange(_FOLDERS)}", recursive=True)


def link_path(client: Client, choice: random.Random) -> None:
    name = f"/link{choice.randrange(3)}"
    if client.fs.file_exists(name):
        client.fs.delete(name)
    client.fs.create_symlink(_path(choice), name)


def relink(client: Client, choice: random.Random) -> None:
    client.relink()


def fork(client: Client, choice: random.Random) -> None:
    path = _path(choice)
    with client.fs.open(path, "rb") as file:
        child = os.fork()
        if not child:
            try:
                _check(path, file.read())
                os._exit(0)
            except (OSError, lucidlink.LucidLinkError):
                os._exit(0)
            except BaseException:  # noqa: BLE001 - a child must never go on as its parent
                os._exit(1)
        if os.waitpid(child, 0)[1]:
            raise Broken(f"{path}: a forked child read something else")


_OPERATIONS: list[tuple[Callable[[Client, random.Random], None], float]] = [
    (small_write, 10), (large_write, 1), (half_write, 0.3), (append, 6), (patch, 3), (read_whole, 10),
    (read_twice, 3), (read_parts, 3), (look, 3), (whole_lock, 1), (range_lock, 3), (move, 2), (delete, 2),
    (delete_folder, 0.1), (link_path, 0.5),
]  # fmt: skip


def main() -> int:
    """The process: prints what was done and what failed."""
    url, number, seconds, share = sys.argv[1:]
    client = Client(url, os.environ["LUCIDLINK_TOKEN"], int(number), float(share))
    client.run(float(seconds))
    print("done", dict(sorted(client.done.items())), flush=True)
    for failure in client.failures[:20]:
        print("FAILED", failure, flush=True)
    return 1 if client.failures else 0


if __name__ == "__main__":
    sys.exit(main())
