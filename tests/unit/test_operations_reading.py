"""Operations that look: what they return, where they stop, what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lucidfs import limits
from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import AccountRow, GrantRow
from lucidfs.hub.operations import Blocked, reading
from lucidfs.types import Access, Kind, Role
from lucidfs.wire import messages as m
from tests.stage import (
    ANN,
    BOB,
    FILESPACE,
    FRAME,
    MAC,
    OTHER,
    OTHER_ROOT,
    ROOT,
    SEALED,
    Stage,
    empty,
    path,
    sealed,
    small,
    token,
)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def refusal(stage: Stage, request: m.Message, **asking: int) -> Code:
    with pytest.raises(Fault) as refused:
        stage.look(request, **asking)  # type: ignore[arg-type]
    return refused.value.code


# --- walk


def test_walk_without_tokens_tells_of_the_start(stage: Stage) -> None:
    walked = stage.look(m.Walk(m.Path(ROOT)))
    assert [entry.id for entry in walked.entries] == [ROOT]
    assert walked.entries[0].kind == Kind.FOLDER and walked.entries[0].parent == 0


def test_walk_finds_every_node_on_the_way(stage: Stage) -> None:
    a = stage.folder("a")
    b = stage.folder("b", a)
    c = stage.file("c", b)
    walked = stage.look(m.Walk(path("a", "b", "c"), content=True, listing=True))
    assert [entry.id for entry in walked.entries] == [a, b, c]
    assert walked.entries[2].sealed_name == sealed("c") and walked.entries[2].parent == b
    assert walked.content == m.Content(0, 0, 0, b"") and walked.listing is None


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("x",), []),
        (("a", "x", "y"), ["a"]),
        (("file", "x"), ["file"]),
        (("link", "x"), ["link"]),
        (("link",), ["link"]),
    ],
)
def test_walk_stops_early(stage: Stage, names: tuple[str, ...], found: list[str]) -> None:
    nodes = {"a": stage.folder("a"), "file": stage.file("file"), "link": stage.link("link")}
    walked = stage.look(m.Walk(path(*names), content=True, listing=True, access=Access.WRITE))
    assert [entry.id for entry in walked.entries] == [nodes[name] for name in found]
    assert walked.content is None and walked.listing is None


def test_walk_brings_the_content(stage: Stage) -> None:
    content = small()
    node = stage.file("f", content=content)
    walked = stage.look(m.Walk(path("f"), content=True))
    assert walked.content == m.Content(1, 6, 1, MAC, content.extents, content.small)
    assert stage.look(m.Walk(m.Path(node), content=True)).content == walked.content
    assert stage.look(m.Walk(path("f"))).content is None


def test_walk_brings_the_listing_and_its_version(stage: Stage) -> None:
    a = stage.folder("a")
    stage.file("f", a)
    listing = stage.look(m.Walk(path("a"), listing=True)).listing
    assert [entry.sealed_name for entry in listing.entries] == [sealed("f")]
    assert (listing.version, listing.more, listing.tokens_end) == (1, False, token("f"))


@pytest.mark.parametrize("start", [0, -1, 999, 2**63, 2**64 - 1, OTHER_ROOT])
def test_walk_from_nowhere(stage: Stage, start: int) -> None:
    assert refusal(stage, m.Walk(m.Path(start, [token("a")]))) == Code.NOT_FOUND


def test_walk_refuses_what_cannot_be(stage: Stage) -> None:
    node = stage.file("f")
    assert refusal(stage, m.Walk(path("x", start=node))) == Code.NOT_A_FOLDER
    assert refusal(stage, m.Walk(m.Path(ROOT, [token("a")] * (limits.PATH_DEPTH_MAX + 1)))) == Code.INVALID
    assert refusal(stage, m.Walk(m.Path(ROOT)), filespace=0) == Code.INVALID
    assert refusal(stage, m.Walk(m.Path(ROOT)), role=0) == Code.DENIED


def test_an_open_waits_for_locks_of_others_only(stage: Stage) -> None:
    node = stage.file("f")
    stage.locks.in_the_way[node] = ANN
    stage.look(m.Walk(path("f"), access=Access.READ), session=ANN)
    stage.look(m.Walk(path("f")), session=BOB)
    with pytest.raises(Blocked) as blocked:
        stage.look(m.Walk(path("f"), access=Access.WRITE), session=BOB)
    assert blocked.value.nodes == (node,)
    assert stage.locks.asked == [(node, Access.READ, None), (node, Access.WRITE, None)]


def test_an_open_with_a_lost_lock_is_fenced(stage: Stage) -> None:
    stage.file("f")
    request = m.Walk(path("f"), access=Access.READ, wait=m.Wait(0, [77]))
    assert refusal(stage, request) == Code.FENCED
    stage.locks.held.add((ANN, 77))
    stage.look(request)


# --- listings


def test_pages_of_a_listing(stage: Stage) -> None:
    names = [f"f{number}" for number in range(7)]
    for name in names:
        stage.file(name)
    seen: list[bytes] = []
    after, more = b"", True
    while more:
        page = stage.look(m.ListFolder(ROOT, after, 3))
        assert len(page.entries) <= 3 and page.version == 7
        seen += [entry.sealed_name for entry in page.entries]
        after, more = page.tokens_end, page.more
    assert seen == [sealed(name) for name in sorted(names, key=token)]


def test_a_listing_ends_after_its_last_full_page(stage: Stage) -> None:
    stage.file("a")
    assert not stage.look(m.ListFolder(ROOT, b"", 1)).more
    assert stage.look(m.ListFolder(ROOT, b"\xff" * 16)) == m.Listing([], b"\xff" * 16, False, 1)
    assert len(stage.look(m.ListFolder(ROOT, b"", -5)).entries) == 1


def test_a_page_is_bounded_in_bytes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        stage.file(name)
    monkeypatch.setattr(reading, "LISTING_PAGE_BYTES", 1)  # an entry that is larger than a page still comes
    page = stage.look(m.ListFolder(ROOT))
    assert len(page.entries) == 1 and page.more
    assert len(stage.look(m.ListFolder(ROOT, page.tokens_end)).entries) == 1


def tree(stage: Stage, *folders: int, depth: int = 0) -> list[tuple[int, int | None]]:
    """Folder and number of entries, or None, of each listing; only the last may have more."""
    listings = stage.look(m.ListTree(list(folders), depth)).listings
    assert not any(each.listing is not None and each.listing.more for each in listings[:-1])
    return [(each.folder, None if each.listing is None else len(each.listing.entries)) for each in listings]


def test_a_tree_is_listed_level_by_level(stage: Stage) -> None:
    a, b = stage.folder("a"), stage.folder("b")
    deep = stage.folder("deep", a)
    stage.file("f", deep)
    stage.link("l", b)
    first, second = (entry.id for entry in stage.look(m.ListFolder(ROOT)).entries)
    assert {first, second} == {a, b}
    whole = [(ROOT, 2), (first, 1), (second, 1), (deep, 1)]
    assert tree(stage, ROOT) == whole
    assert tree(stage, ROOT, depth=1) == whole[:1]
    assert tree(stage, ROOT, depth=2) == whole[:3]
    assert tree(stage, b, deep) == [(b, 1), (deep, 1)]
    assert tree(stage, b, ROOT, depth=1) == [(b, 1), (ROOT, 2)]


def test_what_is_no_folder_has_no_listing(stage: Stage) -> None:
    a, f = stage.folder("a"), stage.file("f")
    assert tree(stage, f, 999, OTHER_ROOT, -1, 2**63 - 1, a) == [
        (f, None), (999, None), (OTHER_ROOT, None), (-1, None), (2**63 - 1, None), (a, 0)
    ]  # fmt: skip


def test_a_tree_comes_in_pages(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [stage.folder(f"d{number}") for number in range(3)]
    for number, folder in enumerate(folders):
        for name in range(2 + 3 * number):
            stage.file(f"f{name}", folder)
    d0, d1, d2 = folders  # with 2, 5 and 8 files
    monkeypatch.setattr(reading, "LISTING_PAGE", 7)
    assert tree(stage, d0, d1, d2) == [(d0, 2), (d1, 5)], "the third did not fit"
    assert tree(stage, d0, d2, d1) == [(d0, 2)], "a folder is not cut when the next reply holds more of it"
    assert tree(stage, d2, d0) == [(d2, 7)], "unless it is the first"
    assert stage.look(m.ListTree([d2])).listings[0].listing.more
    monkeypatch.setattr(reading, "LISTING_PAGE", 1000)
    monkeypatch.setattr(reading, "LISTING_PAGE_BYTES", sum(len(sealed(f"f{name}")) for name in range(7)))
    assert tree(stage, d0, d1, d2) == [(d0, 2), (d1, 5)]
    assert tree(stage, d2, d0) == [(d2, 7)]


def test_a_tree_is_bounded_in_folders(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [stage.folder(f"d{number}") for number in range(6)]
    monkeypatch.setattr(reading, "TREE_FOLDERS_MAX", 4)
    assert len(tree(stage, ROOT)) == 4
    assert len(tree(stage, *folders[:4])) == 4
    assert refusal(stage, m.ListTree(folders[:5])) == Code.INVALID
    assert refusal(stage, m.ListTree([])) == Code.INVALID


def test_listing_what_is_no_folder(stage: Stage) -> None:
    assert refusal(stage, m.ListFolder(stage.file("f"))) == Code.NOT_A_FOLDER
    assert refusal(stage, m.ListFolder(OTHER_ROOT)) == Code.NOT_FOUND


# --- contents


def test_contents_of_every_size(stage: Stage) -> None:
    big = stage.big(3)
    contents = {"none": None, "empty": empty(), "sparse": empty(10**15), "small": small(), "big": big}
    nodes = {name: stage.file(name, content=content) for name, content in contents.items()}
    read = {name: stage.look(m.ReadContent(node)).content for name, node in nodes.items()}
    assert read["none"] == m.Content(0, 0, 0, b"")
    assert read["empty"] == m.Content(1, 0, 1, MAC)
    assert read["sparse"] == m.Content(1, 10**15, 1, MAC)
    assert read["small"] == m.Content(1, 6, 1, MAC, small().extents, small().small)
    assert read["big"] == m.Content(1, 3 * FRAME, 1, MAC, big.extents)


def test_extents_come_in_pages(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    object = stage.id()
    extents = [m.Extent(3 * n, 2, 7, 3 * n, 1, object, 2 * n * SEALED, [SEALED] * 2) for n in range(5)]
    content = m.NewContent(15 * FRAME, 1, MAC, extents, b"", [m.NewObject(object, 10 * SEALED)])
    node = stage.file("f", content=content)
    monkeypatch.setattr(reading, "EXTENTS_PAGE", 2)
    first = stage.look(m.ReadContent(node)).content
    second = stage.look(m.ReadExtents(node, 1, 3))
    third = stage.look(m.ReadExtents(node, 1, second.extents[-1].first))
    assert [first.more, second.more, third.more] == [True, True, False]
    assert first.extents + second.extents + third.extents == extents
    assert stage.look(m.ReadExtents(node, 1, 2**64 - 1)).extents == []
    assert stage.look(m.ReadExtents(node, 1, -9)).extents == extents[:2]
    monkeypatch.setattr(reading, "EXTENTS_PAGE", 100)
    monkeypatch.setattr(reading, "EXTENTS_PAGE_FRAMES", 3)
    assert stage.look(m.ReadContent(node)).content.extents == extents[:1]


def test_extents_of_an_old_revision(stage: Stage) -> None:
    node = stage.file("f", content=stage.big(1))
    stage.do(m.Commit(node, 1, empty()))
    assert refusal(stage, m.ReadExtents(node, 1, 0)) == Code.STALE
    assert stage.look(m.ReadExtents(node, 2, 0)) == m.Content(2, 0, 1, MAC)


def test_contents_of_what_is_no_file(stage: Stage) -> None:
    assert refusal(stage, m.ReadContent(ROOT)) == Code.IS_A_FOLDER
    assert refusal(stage, m.ReadContent(stage.link("l"))) == Code.INVALID
    assert refusal(stage, m.ReadContent(OTHER_ROOT)) == Code.NOT_FOUND
    assert refusal(stage, m.ReadExtents(ROOT, 1, 0)) == Code.IS_A_FOLDER


# --- the rest


def test_statistics(stage: Stage) -> None:
    stage.file("f", content=small())
    stage.file("g", content=stage.big(2))
    stage.link("l", stage.folder("d"))
    counted = stage.look(m.GetStatistics())
    assert (counted.files, counted.folders, counted.links) == (2, 1, 1)
    assert counted.data_bytes == 6 + 2 * FRAME
    assert counted.storage_bytes == len(small().small) + 2 * SEALED
    assert stage.look(m.GetStatistics(), filespace=OTHER).files == 0


def test_sizes_beyond_a_message_are_shown_as_the_largest(stage: Stage) -> None:
    for name in "abc":
        stage.file(name, content=empty(2**62))
    assert stage.look(m.GetStatistics()).data_bytes == 2**62


def test_filespaces_of_an_account_by_name(stage: Stage) -> None:
    tx = stage.database.begin()
    tx.insert_account(AccountRow(2, 1, "ann", "a" * 16, b"", b"", False, 1))
    tx.put_grant(GrantRow(OTHER, 2, int(Role.ADMIN), b"k"))
    tx.put_grant(GrantRow(FILESPACE, 2, int(Role.READ), b"k"))
    stage.database.commit()
    found = stage.look(m.ListFilespaces(), filespace=0, role=0)  # type: ignore[arg-type]
    assert [(info.name, info.role) for info in found.filespaces] == [("data", Role.READ), ("other", Role.ADMIN)]
