"""Whether what clients saw can have happened: each subject's history must have a linearization.

A subject is one file, or one folder with all that is in it; subjects are checked one by one, which is sound because
linearizability is local: a history is linearizable exactly if it is for each object on its own. The check is the
just-in-time search of Wing, Gong and Lowe: the calls and returns are gone through in the order in which they happened;
a set holds every state in which the subject may be, with the open calls that have taken effect in it; at a return the
call must have taken effect with the result that was seen. No state left: no order of the calls explains what was seen.

A call that ended without an answer (its client crashed, or its deadline passed) may take effect at any later time or
never. A call that was refused before it did anything (a lock that was not granted, a fenced one) is left out.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

State = Hashable
NEVER = 1 << 60
LOOKS = frozenset({"read", "list"})  # change nothing
_CONFIGURATIONS_MAX = 50_000


@dataclass(eq=False)
class Op:
    """One call of one client on one subject.

    Attributes:
        client, name, args: who did what.
        began, ended: places in the order of all calls and returns; NEVER: it has not returned.
        result: what was seen; None for a call that returns nothing, or has not returned.
        outcome: "ok", "unknown", "none" (it did nothing), or the name of the error's code.
    """

    client: str
    name: str
    args: tuple[Hashable, ...]
    began: int
    ended: int = NEVER
    result: Hashable = None
    outcome: str = "unknown"
    at_s: tuple[float, float] = (0.0, 0.0)

    def __str__(self) -> str:
        ended = f"{self.at_s[1]:.4f}" if self.ended != NEVER else "…"
        text = f"{self.at_s[0]:.4f}-{ended} {self.client} {self.name}{_short(self.args)} → {self.outcome}"
        return text if self.result is None else f"{text} {_short(self.result)}"


class Model:
    """What a subject is.

    Attributes:
        first: its state at the beginning.
    """

    first: State = None

    def foresee(self, ops: list[Op]) -> None:
        """Look at the whole history first, to leave out early what cannot come true."""

    def after(self, state: State, op: Op) -> Iterator[State]:
        """States in which the subject may be when `op` took effect in `state`; none if it cannot have.

        The result of an op with the outcome "unknown" was not seen: any will do.
        """
        raise NotImplementedError


@dataclass
class History:
    """All calls on one subject."""

    subject: str
    model: Model
    ops: list[Op] = field(default_factory=list)


class Unexplained(Exception):
    """No order of the calls explains the history."""


class Undecided(Exception):
    """There are too many explanations to follow them all."""


Configuration = tuple[State, frozenset[int]]


def check(history: History) -> None:
    """Raises Unexplained, naming the call at which every explanation ends, or Undecided."""
    ops = [op for op in history.ops if _counts(op)]
    events = sorted((at, number) for number, op in enumerate(ops) for at in (op.began, op.ended) if at != NEVER)
    history.model.foresee(ops)
    now: set[Configuration] = {(history.model.first, frozenset())}
    opened: list[int] = []
    for at, number in events:
        op = ops[number]
        if at == op.began:
            opened.append(number)
            continue
        if op.outcome == "unknown":  # its caller gave up; what it asked for may still happen
            continue
        before = now
        now = _returned(history.model, ops, opened, now, number)
        opened.remove(number)
        if not now:
            raise Unexplained(_explain(history, ops, op, before))
        if len(now) > _CONFIGURATIONS_MAX:
            raise Undecided(f"{history.subject}: too many calls without an answer to check this history")


def _counts(op: Op) -> bool:
    return op.outcome != "none" and not (op.outcome == "unknown" and op.name in LOOKS)


def _returned(
    model: Model, ops: list[Op], opened: list[int], now: set[Configuration], number: int
) -> set[Configuration]:
    """Configurations after the return of a call: in all of them it has taken effect."""
    found: set[Configuration] = set()
    seen: set[Configuration] = set(now)
    stack = list(now)
    while stack:
        state, done = stack.pop()
        if number in done:
            found.add((state, done - {number}))
            continue
        for candidate in opened:
            if candidate in done:
                continue
            for after in model.after(state, ops[candidate]):
                configuration = (after, done | {candidate})
                if configuration not in seen:
                    seen.add(configuration)
                    stack.append(configuration)
    return found


def _explain(history: History, ops: list[Op], op: Op, before: set[Configuration]) -> str:
    lines = [f"{history.subject}: nothing explains {op}"]
    states = sorted({_short(state) for state, _ in before})
    lines.append(f"  before it the subject was one of: {', '.join(states[:6])}")
    around = [other for other in ops if other.ended >= op.began - 60 and other.began <= op.ended]
    lines += [f"  {other}" for other in around[-25:]]
    return "\n".join(lines)


def _short(value: Hashable) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, tuple, frozenset)):
        return str(value)
    if isinstance(value, int):
        return f"{value:x}"
    parts = [_short(each) for each in (value if isinstance(value, tuple) else sorted(value, key=str))]
    if len(parts) > 8:
        parts = [f"…{len(parts) - 8} more", *parts[-8:]]
    return "(" + " ".join(parts) + ")"
