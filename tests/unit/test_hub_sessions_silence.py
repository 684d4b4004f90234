"""What counts as a client's silence, and how long failures of an address are remembered."""

from __future__ import annotations

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.hub import admission as admission_module
from lucidfs.hub.admission import Admission
from lucidfs.hub.operations.scene import Caller
from lucidfs.hub.sessions import Session, Sessions


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def now_ns(self) -> int:
        return int(self.now_s * 1e9)

    def monotonic_s(self) -> float:
        return self.now_s


def pass_time(clock: ManualClock, sessions: Sessions, seconds: float) -> list[Session]:
    """Time goes by while the hub is awake: it looks every second."""
    silent: list[Session] = []
    for _ in range(int(seconds)):
        clock.now_s += 1
        silent = sessions.silent()
    return silent


def caller(session: int, account: int = 1, filespace: int = 2) -> Caller:
    return Caller(session, account, "ci", filespace, 3)


def test_silence_is_the_time_since_the_last_request() -> None:
    clock = ManualClock()
    sessions = Sessions(clock, 10.0)
    quiet, lively = sessions.add(caller(1)), sessions.add(caller(2))
    assert pass_time(clock, sessions, 6) == []
    sessions.seen(lively)
    assert pass_time(clock, sessions, 4) == [quiet]
    sessions.remove(quiet)
    assert pass_time(clock, sessions, 5) == []
    assert pass_time(clock, sessions, 1) == [lively]


def test_time_in_which_the_hub_was_away_is_nobodys_silence() -> None:
    clock = ManualClock()
    sessions = Sessions(clock, 10.0)
    session = sessions.add(caller(1))
    assert pass_time(clock, sessions, 8) == []
    clock.now_s += 3600  # suspended
    assert sessions.silent() == []
    assert pass_time(clock, sessions, 1) == []
    assert pass_time(clock, sessions, 1) == [session], "what it was silent before counts"


def test_sessions_of_an_account_in_one_or_all_filespaces() -> None:
    sessions = Sessions(ManualClock(), 10.0)
    one, two, _ = sessions.add(caller(1)), sessions.add(caller(2, filespace=3)), sessions.add(caller(3, account=9))
    assert list(sessions.of(1)) == [one, two]
    assert list(sessions.of(1, 3)) == [two]


def test_acknowledged_replies_are_forgotten() -> None:
    session = Session(caller(1), 0.0)
    session.replies = {1: b"a", 2: b"b", 5: b"c"}
    session.acknowledge(2)
    session.acknowledge(1)
    assert (session.acked, session.replies) == (2, {5: b"c"})


def test_failed_logins_are_forgiven_after_a_minute() -> None:
    clock = ManualClock()
    admission = Admission(clock, 2)
    admission.login_failed("a")
    clock.now_s += 30
    admission.login_failed("a")
    admission.check_login("b")
    with pytest.raises(Fault) as caught:
        admission.check_login("a")
    assert caught.value.code is Code.TOO_MANY
    clock.now_s += 30
    admission.check_login("a")
    clock.now_s += 30
    admission.check_login("a")


def test_remembered_addresses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_module, "_ADDRESSES_MAX", 2)
    admission = Admission(ManualClock(), 1)
    for address in ("a", "b", "c"):
        admission.login_failed(address)
    admission.check_login("a")
    for address in ("b", "c"):
        with pytest.raises(Fault):
            admission.check_login(address)
