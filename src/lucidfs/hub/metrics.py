"""What the hub counts, for Prometheus. Labels are message names and codes: they name nobody and nothing."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from lucidfs.errors import Code
from lucidfs.hub.packer import Packed
from lucidfs.hub.reaper import Reaped

CONTENT_TYPE = CONTENT_TYPE_LATEST

_GROUP_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Counters of one hub, in a registry of its own: several hubs may run in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "lucid_requests",
            "Requests answered, by message and outcome",
            ("message", "outcome"),
            registry=self._registry,
        )
        self._known: dict[tuple[str, Code | None], Counter] = {}
        self._groups = Histogram(
            "lucid_group_changes", "Changes per transaction", buckets=_GROUP_BUCKETS, registry=self._registry
        )
        self._objects = Counter(
            "lucid_object_bytes", "Bytes moved by the object gateway", ("method",), registry=self._registry
        )
        self._logins = Counter("lucid_logins", "Logins of sessions, by outcome", ("outcome",), registry=self._registry)
        self._reaped = Counter("lucid_objects_reaped", "Dead objects deleted", registry=self._registry)
        self._reaped_bytes = Counter("lucid_reaped_bytes", "Their bytes", registry=self._registry)
        self._swept = Counter("lucid_uploads_swept", "Uploads deleted that nobody committed", registry=self._registry)
        self._swept_bytes = Counter("lucid_swept_bytes", "Their bytes", registry=self._registry)
        self._packs = Counter("lucid_packs", "Packs made", registry=self._registry)
        self._packed_bytes = Counter("lucid_packed_bytes", "Their bytes that files use", registry=self._registry)
        self._expired = Counter("lucid_sessions_expired", "Sessions ended by silence", registry=self._registry)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A number that is read when somebody looks."""
        Gauge(name, text, registry=self._registry).set_function(read)

    def answered(self, message: type, code: Code | None) -> None:
        """A request was answered; `code` None: it was done."""
        key = (message.__name__, code)
        counter = self._known.get(key)
        if counter is None:
            outcome = "done" if code is None else code.name.lower()
            counter = self._known[key] = self._requests.labels(key[0], outcome)
        counter.inc()

    def group(self, changes: int) -> None:
        """A transaction was committed."""
        self._groups.observe(changes)

    def moved(self, method: str, count: int) -> None:
        """The gateway moved bytes."""
        self._objects.labels(method).inc(count)

    def login(self, outcome: str) -> None:
        """A session was opened, resumed or refused."""
        self._logins.labels(outcome).inc()

    def expired(self) -> None:
        """A session ended by silence."""
        self._expired.inc()

    def reaped(self, reaped: Reaped) -> None:
        """A round of the reaper ended."""
        self._reaped.inc(reaped.objects)
        self._reaped_bytes.inc(reaped.bytes)

    def swept(self, objects: int, size: int) -> None:
        """A round of the sweeper ended."""
        self._swept.inc(objects)
        self._swept_bytes.inc(size)

    def packed(self, packed: Packed) -> None:
        """A round of the packer ended."""
        self._packs.inc(packed.packs)
        self._packed_bytes.inc(packed.bytes)

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._registry)
