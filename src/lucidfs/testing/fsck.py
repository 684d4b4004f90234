"""The hub's checker for tests of the rules: what is wrong with one filespace's rows, as lines."""

from __future__ import annotations

from lucidfs.hub.database.base import Tx
from lucidfs.hub.fsck import Checker


def problems(tx: Tx, filespace: int) -> list[str]:
    """Everything that is wrong with a filespace; empty when nothing is.

    Args:
        tx: a snapshot.
        filespace: which.
    """
    if tx.filespace(filespace) is None:
        return ["there is no such filespace"]
    return [str(problem) for problem in Checker(tx, filespace).problems()]
