"""Linked objects, and filespaces in a bucket, beside obstore and s3fs on the same S3 server.

Each contestant runs in fresh processes (`buckets_load.py`). Needs a running server, and an environment for the rivals:

    python -m venv /tmp/s3fs && /tmp/s3fs/bin/pip install s3fs obstore
    BENCH_S3FS=/tmp/s3fs BENCH_S3=http://KEY:SECRET@127.0.0.1:9704 python -m benchmarks buckets

"far" is the same with a round trip of 30 ms between everybody and the server, and between client and hub.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import urlopen

import lucidlink
from benchmarks import delay
from benchmarks.measure import MIB, Result
from lucidfs.clock import SystemClock
from lucidfs.crypto.token import Token
from lucidfs.engine.administration import Administration
from lucidfs.limits import PACK_EVERY_S
from lucidfs.objects.http import Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.client import S3Client
from lucidfs.testing.hubs import ProcessHub, new_data
from lucidfs.wire.management import BucketConfig

_LOAD = Path(__file__).parent / "buckets_load.py"
_FAR_MS = 30.0
_TURNS = 3  # of what is over in seconds; one with thousands of small files is a mean already


class _Contestant(NamedTuple):
    who: str
    python: str
    options: dict[str, Any]

    def run(self, task: str, scale: int) -> dict[str, float]:
        """What the task's steps took, in seconds."""
        command = [self.python, str(_LOAD), self.who, json.dumps(self.options), task, str(scale)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{self.who}, {task}: {done.stderr[-2000:]}")
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found


class _Server(NamedTuple):
    """The S3 server, as the environment names it."""

    endpoint: str
    key: str
    secret: str
    python: str  # of the rivals


def run(folder: Path, megabytes: int, small: int, files: int) -> Iterator[Result]:
    """Yield the table's lines."""
    server = _server()
    if server is None:
        return
    yield from _table(folder / "near", server, megabytes, small, files, 0)
    yield from _table(folder / "far", server, megabytes // 4, small // 4, files // 10, _FAR_MS)


def _server() -> _Server | None:
    venv, server = os.environ.get("BENCH_S3FS", ""), os.environ.get("BENCH_S3", "")
    if not venv or not server:
        print("buckets: left out, because BENCH_S3 and BENCH_S3FS do not name a server and its rivals\n")
        return None
    parts = urlsplit(server)
    endpoint = f"{parts.scheme}://{parts.hostname}:{parts.port}"
    return _Server(endpoint, parts.username or "", parts.password or "", f"{venv}/bin/python")


def _table(folder: Path, server: _Server, megabytes: int, small: int, files: int, far_ms: float) -> Iterator[Result]:
    folder.mkdir()
    data, token = new_data(folder)
    hub = ProcessHub(data, "--allow-private-endpoints")
    bucket = f"bench-{os.getpid()}-{'far' if far_ms else 'near'}"
    http = Http()
    with ExitStack() as stack:
        stack.callback(hub.stop)
        stack.callback(http.close)
        endpoint = stack.enter_context(_farther(server.endpoint, far_ms))
        near = _client(S3Bucket(bucket, "us-east-1", server.endpoint), server, http)
        _prepare(near, http, megabytes, small)
        _make_filespaces(hub.url, token, server, bucket, endpoint, small)
        hub_url = stack.enter_context(_farther(hub.url, far_ms))
        rival = {"endpoint": endpoint, "key": server.key, "secret": server.secret, "bucket": bucket}
        ours = {"hub": hub_url, "token": token}
        linked = [
            _Contestant("openlucid", sys.executable, {**ours, "filespace": "linked", "base": "/"}),
            _Contestant("obstore", server.python, {**rival, "base": "objects/"}),
            _Contestant("s3fs", server.python, {**rival, "base": "objects/"}),
        ]
        own = [
            _Contestant("openlucid", sys.executable, {**ours, "filespace": "own", "base": "/"}),
            _Contestant("obstore", server.python, {**rival, "base": "obstore/"}),
            _Contestant("s3fs", server.python, {**rival, "base": "s3fs/"}),
        ]
        where = f", {far_ms:.0f} ms away" if far_ms else ""
        yield from _lines(
            linked, "linked_large", megabytes, f"linked object of {megabytes} MiB{where}", megabytes, _TURNS
        )
        yield from _lines(linked, "linked_random", megabytes, f"linked object of {megabytes} MiB{where}", 0)
        yield from _lines(linked, "linked_small", small, f"{small:,} linked objects of 10 kB{where}", 0)
        for task, turns in (("stream_write", 2), ("stream_read", _TURNS)):
            yield from _lines(own, task, megabytes, f"filespace in a bucket, {megabytes} MiB{where}", megabytes, turns)
        subject = f"filespace in a bucket, {files:,} files of 100 KiB{where}"
        for task in ("files_write", "files_read"):
            yield from _lines(own, task, files, subject, 0)
        if not far_ms:
            hub.stop()
            hub = ProcessHub(data, "--allow-private-endpoints", "--pack-after", "0")
            stack.callback(hub.stop)
            _wait_for_packs(hub.url)
            own[0] = own[0]._replace(options={**own[0].options, "hub": hub.url})
            yield from _lines(own, "files_read", files, f"{subject}, packed", 0)


def _wait_for_packs(hub_url: str) -> None:
    """Until all small contents left the hub's database: a round that packs is followed by one that finds nothing."""
    packed, before = 0.0, -1.0
    while not packed or packed != before:
        time.sleep(PACK_EVERY_S)
        with urlopen(f"{hub_url}/metrics") as page:
            text = page.read().decode()
        packed, before = float(text.split("\nlucid_packed_bytes_total ")[1].split()[0]), packed


def _lines(
    contestants: list[_Contestant], task: str, scale: int, subject: str, mib: float, turns: int = 1
) -> Iterator[Result]:
    found: dict[str, list[dict[str, float]]] = {each.who: [] for each in contestants}
    for _ in range(turns):
        for each in contestants:
            found[each.who].append(each.run(task, scale))
    for name in found["openlucid"][0]:
        for who, measured in found.items():
            spent = median(turn[name] for turn in measured)
            as_rate = mib and not name[0].isdigit()
            value, unit = (mib / spent, "MiB/s") if as_rate else (spent, "s")
            yield Result(f"{subject}: {name}", who, value, unit, "yes" if name.startswith("write") else "")


def _client(bucket: S3Bucket, server: _Server, http: Http) -> S3Client:
    return S3Client(bucket, S3Keys(server.key, server.secret), SystemClock(), http)


def _prepare(client: S3Client, http: Http, megabytes: int, small: int) -> None:
    """The bucket, a large object and small ones."""
    with http.request("PUT", client.url("PUT", ""), {"Content-Length": "0"}) as answer:
        assert answer.status == 200, answer.status
    piece = os.urandom(MIB)
    client.put("objects/large", [piece] * megabytes)
    for number in range(small):
        client.put(f"objects/small/{number}", piece[number : number + 10_000])


def _make_filespaces(hub_url: str, token: str, server: _Server, bucket: str, endpoint: str, small: int) -> None:
    """`linked`, with the objects linked; `own`, whose objects go to the bucket."""
    administration = Administration(hub_url, Token.parse(token), os.urandom)
    administration.create_filespace("linked")
    keys = {"access_key": server.key, "secret_key": server.secret, "endpoint": endpoint}
    administration.create_filespace("own", BucketConfig(bucket=bucket, prefix="own", **keys))
    administration.close()
    with lucidlink.create_daemon({"hub.url": hub_url}) as daemon:
        workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(token))
        connect = workspace.link_filespace(name="linked").connect
        connect.add_data_store("bench", lucidlink.S3DataStoreConfig(bucket_name=bucket, region="us-east-1", **keys))
        connect.link_file("/large", "bench", "objects/large")
        connect.link_files((f"/small/{number}", "bench", f"objects/small/{number}") for number in range(small))


@contextmanager
def _farther(url: str, round_trip_ms: float) -> Iterator[str]:
    """The same server, a round trip away."""
    if not round_trip_ms:
        yield url
        return
    parts = urlsplit(url)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    serving = delay.serve(0, parts.hostname or "", parts.port or 80, round_trip_ms)
    server = asyncio.run_coroutine_threadsafe(serving, loop).result()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
