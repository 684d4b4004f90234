"""The store behind a real hub's object gateway keeps the contract."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
import urllib3

from lucidfs.clock import SystemClock
from lucidfs.errors import Code, Fault
from lucidfs.objects.base import ObjectName
from lucidfs.objects.signed import SignedStore
from lucidfs.objects.signing import sign_url
from lucidfs.testing.hubs import HubThread, new_hub
from lucidfs.testing.store_suite import BODY, NAME, StoreSuite
from lucidfs.types import FilespaceId

LARGE = bytes(20_000_000)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubThread]:
    hub, _ = new_hub(tmp_path_factory.mktemp("gateway"))
    yield hub
    hub.stop()


def signer(hub: HubThread, life_s: int = 60) -> Callable[[str, ObjectName], str]:
    """Signs as the hub does; each signer has filespaces of its own, so that tests can share a hub."""
    shift = next(_numbers) << 32
    expires_s = SystemClock().now_ns() // 10**9 + life_s

    def url_for(method: str, name: ObjectName) -> str:
        moved = ObjectName(FilespaceId((name.filespace + shift) % 2**63), name.object)
        return sign_url(hub.hub.signing_key, hub.url, method, moved, expires_s)

    return url_for


class TestGatewayStore(StoreSuite):
    manages = False
    durable = True

    @pytest.fixture
    def store(self, hub: HubThread) -> Iterator[SignedStore]:
        store = SignedStore(signer(hub))
        yield store
        store.close()

    def reopened(self, store: object) -> SignedStore:
        assert isinstance(store, SignedStore)
        return SignedStore(store._url_for)


@pytest.mark.parametrize("body", [BODY, LARGE, [LARGE[:65_536]] * 300], ids=["small", "large", "list"])
def test_a_denied_upload_says_so_however_large(hub: HubThread, body: bytes | list[bytes]) -> None:
    ended = SignedStore(signer(hub, life_s=-1))
    with pytest.raises(Fault) as caught:
        ended.put(NAME, body)
    assert caught.value.code is Code.DENIED
    ended.close()


def test_a_url_is_good_for_its_method_only(hub: HubThread) -> None:
    url_for = signer(hub)
    writing = SignedStore(url_for)
    writing.put(NAME, BODY)
    swapped = SignedStore(lambda method, name: url_for("GET" if method == "PUT" else "PUT", name))
    with pytest.raises(Fault) as reading:
        swapped.get(NAME, 0, 1)
    with pytest.raises(Fault) as changing:
        swapped.put(NAME, BODY)
    assert reading.value.code is changing.value.code is Code.DENIED
    writing.close()
    swapped.close()


@pytest.mark.parametrize(
    "header", ["bytes=5-4", "bytes=-5", "bytes=0-1,3-4", "lines=0-1", "bytes=0-99999999999999999999"]
)
def test_strange_ranges_are_refused_and_harm_nothing(hub: HubThread, header: str) -> None:
    url_for = signer(hub)
    store = SignedStore(url_for)
    store.put(NAME, BODY)
    with urllib3.PoolManager(retries=False) as pool:
        answer = pool.request("GET", url_for("GET", NAME), headers={"Range": header})
    assert 400 <= answer.status < 600
    assert store.get(NAME, 0, len(BODY)) == BODY
    store.close()


def test_nothing_of_a_refused_upload_is_stored(hub: HubThread) -> None:
    folder = hub.data / "objects"
    before = sorted(folder.rglob("*"))
    ended = SignedStore(signer(hub, life_s=-1))
    with pytest.raises(Fault):
        ended.put(NAME, BODY)
    assert sorted(folder.rglob("*")) == before
    ended.close()
