"""How often an address may knock: open connections, and failed logins in the last minute."""

from __future__ import annotations

from collections import Counter, deque

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.limits import CONNECTIONS_PER_ADDRESS_MAX

_WINDOW_S = 60.0
_ADDRESSES_MAX = 65_536  # remembered; beyond it the oldest are forgotten, so that a botnet cannot fill the memory


class Admission:
    """Counts per address. Used on the loop only.

    Args:
        clock: tells when a failure is a minute old.
        failed_logins_max: failures per address and minute; further logins are refused unseen.
    """

    def __init__(self, clock: Clock, failed_logins_max: int) -> None:
        self._clock = clock
        self._failed_logins_max = failed_logins_max
        self._failures: dict[str, deque[float]] = {}
        self._connections: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Count a connection; False if the address has too many (then it is not counted)."""
        if self._connections[address] >= CONNECTIONS_PER_ADDRESS_MAX:
            return False
        self._connections[address] += 1
        return True

    def exit(self, address: str) -> None:
        """A connection that entered has ended."""
        self._connections[address] -= 1
        if not self._connections[address]:
            del self._connections[address]

    def check_login(self, address: str) -> None:
        """Raises Fault(TOO_MANY) while the address has failed too often."""
        failures = self._failures.get(address)
        if failures is None:
            return
        while failures and failures[0] <= self._clock.monotonic_s() - _WINDOW_S:
            failures.popleft()
        if not failures:
            del self._failures[address]
        elif len(failures) >= self._failed_logins_max:
            raise Fault(Code.TOO_MANY, "too many failed logins from this address: wait a minute")

    def login_failed(self, address: str) -> None:
        """Remember a failure."""
        if address not in self._failures and len(self._failures) >= _ADDRESSES_MAX:
            del self._failures[next(iter(self._failures))]
        self._failures.setdefault(address, deque(maxlen=self._failed_logins_max)).append(self._clock.monotonic_s())
