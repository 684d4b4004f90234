"""What the parts of a soak agree on."""

from __future__ import annotations

FILESPACE = "soak"
