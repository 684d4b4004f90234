"""docs/PROTOCOL.md tells the messages as they are declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucidfs.wire import document

PAGE = Path(__file__).resolve().parents[2] / "docs" / "PROTOCOL.md"


def test_the_page_is_in_step_with_the_declarations() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert document.rewritten(text) == text, "run: python -m lucidfs.wire.document docs/PROTOCOL.md"


def test_a_page_without_the_marker_is_left_alone() -> None:
    with pytest.raises(ValueError, match="marker"):
        document.rewritten("# Another page\n")
