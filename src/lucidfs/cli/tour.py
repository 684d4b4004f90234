"""The quick start's steps: a sentence, and the code that is shown and run, so what a user reads is what happened."""

from __future__ import annotations

import contextlib
import io
import textwrap
from typing import Any, NamedTuple

FILESPACE = "production-data"


class Step(NamedTuple):
    """One step of the tour.

    Args:
        says: what happens, for the reader.
        code: Python that does it; names live on in later steps. `token` is there from the start.
    """

    says: str
    code: str


class Told(NamedTuple):
    """A step that ran, with what its code printed."""

    says: str
    code: str
    output: str


def _code(text: str) -> str:
    return textwrap.dedent(text).strip()


STEPS = (
    Step(
        "Start a client in this program. Its cache is in a temporary folder that goes when it stops.",
        _code("""
            import lucidlink
            daemon = lucidlink.create_daemon()
            daemon.start()
        """),
    ),
    Step(
        "Log in as the account. It signs what the hub asks; the token stays in this program.",
        "workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(token=token))",
    ),
    Step(
        "Link the filespace. Its key was sealed to the account; the hub cannot open it.",
        f'filespace = workspace.link_filespace(name="{FILESPACE}")',
    ),
    Step("List the root folder: nothing there yet.", 'print(filespace.fs.list_dir("/"))'),
    Step(
        "Write a file. When the block ends, every client sees it, whole.",
        _code("""
            with filespace.fs.open("/example.txt", "wb") as f:
                f.write(b"Hello from LucidLink!")
        """),
    ),
    Step(
        "Read it back.",
        _code("""
            with filespace.fs.open("/example.txt", "rb") as f:
                print(f.read())
        """),
    ),
    Step(
        "Stream 4 MiB out: compressed, sealed and uploaded while the loop still writes.",
        _code("""
            data = b"x" * 1024 * 1024
            with filespace.fs.open("/output.dat", "wb") as f:
                for _ in range(4):
                    f.write(data)
        """),
    ),
    Step(
        "Stream it in again, and read 100 bytes from the middle: only their frames are fetched.",
        _code("""
            with filespace.fs.open("/output.dat", "rb", buffering=8192) as f:
                print(sum(len(chunk) for chunk in iter(lambda: f.read(4096), b"")), "bytes")
                f.seek(1000)
                print(len(f.read(100)), "bytes from offset 1000")
        """),
    ),
    Step(
        "Lock a file while changing it. No other client can open it meanwhile, with a lock or without.",
        _code("""
            with filespace.fs.open("/example.txt", "r+b", lock_type="exclusive") as f:
                content = f.read()
                f.seek(0)
                f.write(content.upper())
                print("locked:", [lock.lock_type for lock in filespace.fs.list_locks("/example.txt")])
            print(filespace.fs.read_file("/example.txt"))
        """),
    ),
    Step(
        "List again, with sizes.",
        _code("""
            for entry in filespace.fs.read_dir("/"):
                print(f"{entry.name}: {entry.size} bytes")
        """),
    ),
    Step(
        "Leave. All that was closed is durable at the hub already; unlink makes sure of the rest.",
        _code("""
            filespace.unlink()
            daemon.stop()
        """),
    ),
)


class Tour:
    """Runs the steps one after the other.

    Args:
        token: of the account to log in as; the hub is LUCIDLINK_HUB.
    """

    def __init__(self, token: str) -> None:
        self._names: dict[str, Any] = {"token": token}

    def run(self, step: Step) -> Told:
        """Run one step. Raises whatever its code raises."""
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(step.code, "<quickstart>", "exec"), self._names)
        return Told(step.says, step.code, printed.getvalue())

    def end(self) -> None:
        """Stop the client, if a step failed before the last one did."""
        daemon = self._names.get("daemon")
        if daemon is not None:
            daemon.stop()
