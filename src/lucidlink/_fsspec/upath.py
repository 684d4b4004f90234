"""`UPath("lucidlink://workspace/filespace/path")`: found by universal_pathlib through its entry point."""

from __future__ import annotations

from upath import UPath


class LucidLinkPath(UPath):
    """A path of a filespace as a `pathlib`-like object. Options of the driver are its keyword arguments."""
