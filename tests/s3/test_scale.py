"""A folder of 100,000 links: listed, found and counted; mirrored without holding them in memory."""

from __future__ import annotations

import threading
import tracemalloc

import pytest

from lucidfs.cli.mirror import Report, mirror
from lucidfs.objects.s3.client import S3Object
from lucidlink import ConnectManager
from lucidlink.fsspec import LucidLinkFileSystem
from tests.world import Client, World

COUNT = 100_000


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_hundred_thousand_links(client: Client, s3_world: World, store: str) -> None:
    connect, fs = client.filespace.connect, client.fs
    assert connect.link_files((f"/many/{n:06}", store, f"key {n}", 7, "abc") for n in range(COUNT)) == COUNT
    entries = fs.read_dir("/many")
    assert (len(entries), entries[-1].name, entries[-1].size) == (COUNT, "099999", 7)
    size = fs.get_size()
    assert (size.external_files_count, size.external_files_size) == (COUNT, 7 * COUNT)
    assert connect.count_external_files(store) == COUNT
    through = LucidLinkFileSystem(token=s3_world.token, hub=s3_world.url, skip_instance_cache=True)
    assert len(through.find(f"lucidlink://demo/{client.filespace.name}/many")) == COUNT
    through.close()

    tracemalloc.start()
    try:
        objects = (S3Object(f"key {n}", 7, "abc" if n else "other", 0) for n in range(1, COUNT + 1))
        nothing = Report(lambda verb, path: None, lambda seen: None)
        done = mirror(connect, store, objects, "key ", "/mirrored", delete=False, dry_run=True, report=nothing)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (done.objects, done.linked) == (COUNT, COUNT)
    assert peak < 40_000_000, f"{peak} bytes for {COUNT} objects"
    fs.delete_dir("/many", recursive=True)
    assert connect.count_external_files(store) == 0


def all_pages(connect: ConnectManager, store: str) -> list[str]:
    found: list[str] = []
    cursor, more = "", True
    while more:
        page = connect.list_external_files(store, 500, cursor)
        found += page.file_paths
        cursor, more = page.cursor, page.has_more
    return found


@pytest.mark.slow
def test_pages_while_another_client_links_and_unlinks(client: Client, s3_world: World, store: str) -> None:
    connect = client.filespace.connect
    stays = {f"/stays/{n:05}" for n in range(10_000)}
    connect.link_files((path, store, path, 7, "abc") for path in sorted(stays))
    over = threading.Event()

    def others() -> None:
        with s3_world.client(name=client.filespace.name) as other:
            turn = 0
            while not over.is_set():
                turn += 1
                paths = [f"/goes/{turn}/{n}" for n in range(100)]
                other.filespace.connect.link_files((path, store, path, 7, "abc") for path in paths)
                other.fs.delete_dir(f"/goes/{turn}", recursive=True)

    thread = threading.Thread(target=others)
    thread.start()
    try:
        for _ in range(5):
            found = all_pages(connect, store)
            assert len(found) == len(set(found))
            assert stays <= set(found)
            assert all(path.startswith(("/stays/", "/goes/")) for path in found)
    finally:
        over.set()
        thread.join()
    assert connect.count_external_files(store) == len(stays)
