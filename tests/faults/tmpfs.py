"""A small disk that is soon full: a tmpfs that the test mounts, which takes root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KIB = 1024
BALLAST = "ballast"


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of `size` bytes at `folder` while this lasts. Skips the test where it may not be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes=300,mode=700", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False) if os.geteuid() == 0 else None
    if done is None or done.returncode:
        reason = done.stderr.strip() if done is not None else "not root"
        pytest.skip(f"NOT TESTED: a full disk needs a tmpfs, which cannot be mounted here ({reason})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave: int = 0) -> None:
    """Take all room of the disk but `leave` bytes."""
    with open(folder / BALLAST, "ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4 * KIB))
        except OSError:
            pass
        file.truncate(max(0, os.fstat(file.fileno()).st_size - leave))


def relieve(folder: Path) -> None:
    """Give the room back."""
    (folder / BALLAST).unlink()
