"""Where a daemon keeps its files on this machine, and whether they stay."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from lucidlink.exceptions import ConfigurationError


class StorageMode(Enum):
    """Kind of local storage."""

    SANDBOXED = "sandboxed"
    PHYSICAL = "physical"
    EPHEMERAL = "sandboxed"  # noqa: PIE796 (name of the same in later releases)
    PERSISTENT = "physical"  # noqa: PIE796


@dataclass(frozen=True)
class StorageConfig:
    """Where local files (the disk cache) live.

    Args:
        mode: SANDBOXED: a temp folder of each daemon's own, always removed. PHYSICAL: `.lucid` below `root_path`.
        persist_on_exit: PHYSICAL only: keep the files when the daemon stops.
        root_path: PHYSICAL only: folder that gets `.lucid`; None: the working directory at the time of use.

    Raises:
        ConfigurationError: `persist_on_exit` or `root_path` together with SANDBOXED, or a value of another type.
    """

    mode: StorageMode = StorageMode.SANDBOXED
    persist_on_exit: bool = False
    root_path: str | Path | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.mode, StorageMode):
            raise ConfigurationError(f"mode: expected a StorageMode, got {self.mode!r}")
        if self.root_path is not None and not isinstance(self.root_path, (str, Path)):
            raise ConfigurationError(f"root_path: expected str or Path, got {type(self.root_path).__name__}")
        if self.root_path is not None and not str(self.root_path):
            raise ConfigurationError("root_path: empty; leave it out for the working directory")
        if self.mode is StorageMode.SANDBOXED:
            if self.persist_on_exit:
                raise ConfigurationError("persist_files: sandboxed files are always removed; use sandboxed=False")
            if self.root_path is not None:
                raise ConfigurationError("root_path: sandboxed files live in a temp folder; use sandboxed=False")

    def get_root_path(self) -> Path:
        """The folder below which local files are made, absolute.

        PHYSICAL: the one that gets `.lucid`. SANDBOXED: the system's temp folder, in which each daemon makes its own.
        """
        if self.mode is StorageMode.SANDBOXED:
            return Path(tempfile.gettempdir())
        return Path(self.root_path if self.root_path is not None else ".").absolute()

    def should_cleanup(self) -> bool:
        """Whether the files are removed when the daemon stops."""
        return self.mode is StorageMode.SANDBOXED or not self.persist_on_exit


__all__ = ["StorageConfig", "StorageMode"]
