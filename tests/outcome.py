"""What came out of a call, in a form that two implementations can be compared by."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Outcome(NamedTuple):
    """A value, or the exception that came instead."""

    value: object = None
    exception: Exception | None = None

    @property
    def errno(self) -> int | None:
        """Of the exception, where it has one."""
        return getattr(self.exception, "errno", None)


def outcome_of(call: Callable[[], object]) -> Outcome:
    """Run a call; an exception that a file may raise is an outcome like any other."""
    try:
        return Outcome(call())
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return Outcome(None, error)


def assert_same(found: Outcome, expected: Outcome) -> None:
    """Equal values; or an exception of the expected class (a class under it is fine), with the same errno."""
    if expected.exception is None:
        if found.exception is not None:
            raise AssertionError(f"expected {expected.value!r:.200}, it raised") from found.exception
        assert found.value == expected.value
        return
    kind = type(expected.exception)
    if not isinstance(found.exception, kind) or found.errno != expected.errno:
        raise AssertionError(f"expected {expected.exception!r}, found {found!r:.500}") from found.exception
