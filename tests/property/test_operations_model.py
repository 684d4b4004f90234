"""Any history of operations leaves the database as a dict of places would be, and every invariant in force.

The model knows nodes by id, and contents as a dict from frame to (origin, origin frame, generation). Changes run in
groups, as in the hub: some groups are rolled back, and refusals inside a group must leave no trace.
"""

from __future__ import annotations

import tempfile
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import Tx
from lucidfs.hub.operations import Caller, NoLocks, Scene, perform
from lucidfs.testing.fsck import problems
from lucidfs.types import Kind, Role
from lucidfs.wire import messages as m
from tests.stage import ANN, FILESPACE, FRAME, MAC, ROOT, SEALED, Stage, sealed, token

NAMES = st.sampled_from("abc")
FRAMES = 6
Frame = tuple[int, int, int]


@dataclass
class Node:
    """A node of the model."""

    kind: Kind
    parent: int
    name: str
    size: int = 0
    revision: int = 0
    small: bool = False
    frames: dict[int, Frame] = field(default_factory=dict)
    changes: int = 0  # of its entries


class Model:
    """The dict, and what each operation should answer: None, or the code of its refusal."""

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {ROOT: Node(Kind.FOLDER, 0, "")}

    def child(self, parent: int, name: str) -> int:
        """The id of the entry; 0: there is none."""
        return next((key for key, node in self.nodes.items() if (node.parent, node.name) == (parent, name)), 0)

    def folder_problem(self, parent: int) -> Code | None:
        if parent not in self.nodes:
            return Code.NOT_FOUND
        return None if self.nodes[parent].kind == Kind.FOLDER else Code.NOT_A_FOLDER

    def create(self, parent: int, name: str, node: int, made: Node) -> Code | None:
        problem = self.folder_problem(parent)
        if problem is None and self.child(parent, name):
            problem = Code.EXISTS
        if problem is None:
            self.nodes[node] = made
            self.nodes[parent].changes += 1
        return problem

    def below(self, node: int) -> list[int]:
        children = [key for key, each in self.nodes.items() if each.parent == node]
        return [key for child in children for key in (child, *self.below(child))]

    def delete(self, parent: int, name: str, folder: bool, recursive: bool) -> Code | None:
        problem = self.folder_problem(parent)
        node = self.child(parent, name)
        if problem or not node:
            return problem or Code.NOT_FOUND
        if (self.nodes[node].kind == Kind.FOLDER) != folder:
            return Code.NOT_A_FOLDER if folder else Code.IS_A_FOLDER
        if folder and not recursive and self.below(node):
            return Code.NOT_EMPTY
        for gone in (*self.below(node), node):
            del self.nodes[gone]
        self.nodes[parent].changes += 1
        return None

    def move(self, node: int, parent: int, name: str, replace: bool) -> Code | None:
        if node not in self.nodes:
            return Code.NOT_FOUND
        if node == ROOT:
            return Code.INVALID
        problem = self.folder_problem(parent)
        if problem:
            return problem
        if parent == node or parent in self.below(node):
            return Code.INVALID
        there = self.child(parent, name)
        folders = Kind.FOLDER in (self.nodes[node].kind, self.nodes.get(there, self.nodes[node]).kind)
        if there and (not replace or (there != node and folders)):
            return Code.EXISTS
        if there and there != node:
            del self.nodes[there]
        moved = self.nodes[node]
        for touched in {moved.parent, parent}:
            self.nodes[touched].changes += 1
        moved.parent, moved.name = parent, name
        return None


class OperationsMachine(RuleBasedStateMachine):
    """One session's history. Ids of nodes and objects are remembered after they are gone, and tried again."""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.stage = Stage(Path(self.folder.name))
        self.model = Model()
        self.saved = deepcopy(self.model)
        self.ids = [ROOT]
        self.kept: list[m.Extent] = []  # extents that once were committed, to be copied from
        self.tx: Tx | None = None

    def teardown(self) -> None:
        if hasattr(self, "stage"):
            self.stage.database.rollback()
            self.stage.close()
            self.folder.cleanup()

    # --- the group

    def ask(self, request: m.Message) -> Code | None:
        if self.tx is None:
            self.tx = self.stage.database.begin()
        self.stage.now_ns += 1
        try:
            scene = Scene(self.tx, Caller(ANN, 2, "ann", FILESPACE, Role.WRITE), NoLocks(), self.stage.now_ns)
            perform(scene, request)
        except Fault as fault:
            return fault.code
        return None

    @rule()
    def commit_group(self) -> None:
        if self.tx is not None:
            self.stage.database.commit()
            self.tx = None
        self.saved = deepcopy(self.model)

    @rule()
    def roll_back_group(self) -> None:
        self.stage.database.rollback()
        self.tx = None
        self.model = deepcopy(self.saved)

    # --- changes

    def pick(self, choice: int) -> int:
        return self.ids[choice % len(self.ids)]

    @rule(parent=st.integers(0, 99), name=NAMES, kind=st.sampled_from([Kind.FILE, Kind.FOLDER, Kind.LINK]))
    def create(self, parent: int, name: str, kind: Kind) -> None:
        new = self.stage.new(name, kind)
        place = self.pick(parent)
        assert self.ask(m.Create(place, new)) == self.model.create(place, name, new.id, Node(kind, place, name))
        self.ids.append(new.id)

    @rule(parent=st.integers(0, 99), name=NAMES, depth=st.integers(1, 3))
    def create_folders(self, parent: int, name: str, depth: int) -> None:
        nodes = [self.stage.new(name, Kind.FOLDER) for _ in range(depth)]
        place = self.pick(parent)
        expected = self.model.create(place, name, nodes[0].id, Node(Kind.FOLDER, place, name))
        assert self.ask(m.CreateFolders(place, nodes)) == expected
        for above, new in pairwise(nodes):
            if expected is None:
                self.model.nodes[new.id] = Node(Kind.FOLDER, above.id, name)
        self.ids += [new.id for new in nodes]

    @rule(parent=st.integers(0, 99), name=NAMES, folder=st.booleans(), recursive=st.booleans())
    def delete(self, parent: int, name: str, folder: bool, recursive: bool) -> None:
        place = self.pick(parent)
        request = m.Delete(m.Path(place, [token(name)]), folder, recursive)
        assert self.ask(request) == self.model.delete(place, name, folder, recursive)

    @rule(node=st.integers(0, 99), parent=st.integers(0, 99), name=NAMES, replace=st.booleans())
    def move(self, node: int, parent: int, name: str, replace: bool) -> None:
        moved, place = self.pick(node), self.pick(parent)
        at = self.model.nodes.get(moved, Node(Kind.FILE, ROOT, "a"))
        request = m.Move(moved, at.parent, token(at.name), place, token(name), sealed(name), replace)
        assert self.ask(request) == self.model.move(moved, place, name, replace)

    # --- contents

    def frames(self, extents: list[m.Extent]) -> dict[int, Frame]:
        return {
            extent.first + step: (extent.origin, extent.origin_first + step, extent.generation)
            for extent in extents
            for step in range(extent.count)
        }

    def fresh(self, first: int, count: int) -> tuple[list[m.Extent], list[m.NewObject]]:
        """An extent in an object of its own, after a gap of unused bytes."""
        object, generation = self.stage.id(), self.stage.id()
        self.stage.objects.add(object)
        extent = m.Extent(first, count, 7, first, generation, object, 100, [SEALED] * count)
        return [extent], [m.NewObject(object, 100 + count * SEALED)]

    def published(self, node: int, request: m.Commit, small: bool, frames: dict[int, Frame]) -> None:
        """Ask, and expect what every file does with a commit that is made for its revision."""
        at = self.model.nodes.get(node)
        answer = self.ask(request)
        if at is None:
            assert answer == Code.NOT_FOUND
        elif at.kind != Kind.FILE:
            assert answer == (Code.IS_A_FOLDER if at.kind == Kind.FOLDER else Code.INVALID)
        elif not request.whole and at.small:
            assert answer == Code.INVALID
        elif any(extent.object not in self.stage.objects for extent in request.content.extents if extent.object):
            assert answer == Code.STALE
        else:
            assert answer in (None, Code.STALE)
            if answer is None:
                at.size, at.small, at.frames = request.content.size, small, frames
                at.revision += 1
                self.kept += [extent for extent in request.content.extents if extent.object]
            else:  # only an object whose birth was rolled back is gone
                assert any(extent.object for extent in request.content.extents)

    @rule(node=st.integers(0, 99), first=st.integers(0, 3), count=st.integers(1, 3), more=st.integers(0, 2))
    def commit_whole(self, node: int, first: int, count: int, more: int) -> None:
        extents, objects = self.fresh(first, count)
        content = m.NewContent((first + count + more) * FRAME, 1, MAC, extents, b"", objects)
        self.published(self.pick(node), m.Commit(self.pick(node), 0, content), False, self.frames(extents))

    @rule(node=st.integers(0, 99), size=st.integers(0, FRAME))
    def commit_small(self, node: int, size: int) -> None:
        extents = [m.Extent(0, 1, 7, 0, 1, 0, 2, [40])] if size else []
        content = m.NewContent(size, 1, MAC, extents, b"x" * 42 if size else b"")
        self.published(self.pick(node), m.Commit(self.pick(node), 0, content), bool(size), self.frames(extents))

    @rule(node=st.integers(0, 99), source=st.integers(0, 99))
    def commit_copy(self, node: int, source: int) -> None:
        if self.kept:
            extent = self.kept[source % len(self.kept)]
            content = m.NewContent((extent.first + extent.count) * FRAME, 1, MAC, [extent])
            self.published(self.pick(node), m.Commit(self.pick(node), 0, content), False, self.frames([extent]))

    @rule(
        node=st.integers(0, 99),
        first=st.integers(0, FRAMES),
        count=st.integers(0, 3),
        clear=st.lists(st.tuples(st.integers(0, FRAMES), st.integers(0, 3)), max_size=3),
        size=st.integers(0, 2 * FRAMES),
    )
    def commit_delta(self, node: int, first: int, count: int, clear: list[tuple[int, int]], size: int) -> None:
        at = self.model.nodes.get(self.pick(node), Node(Kind.FILE, ROOT, "a"))
        extents, objects = self.fresh(first, count) if count else ([], [])
        size = max(size, first + count)
        ranges = [(start, start + length) for start, length in clear] + [(size, 2**62)]
        cleared = {frame for start, end in ranges for frame in range(start, min(end, 99))}
        frames = {frame: value for frame, value in at.frames.items() if frame not in cleared}
        content = m.NewContent(size * FRAME, 1, MAC, extents, b"", objects)
        request = m.Commit(self.pick(node), at.revision, content, whole=False, clear=ranges)
        self.published(self.pick(node), request, False, frames | self.frames(extents))

    # --- the comparison

    @invariant()
    def the_tree_is_the_model(self) -> None:
        if not hasattr(self, "stage"):
            return
        if self.tx is not None:
            self.compare(self.tx, self.model)
        with self.stage.database.read() as reading:
            self.compare(reading, self.saved)

    def compare(self, tx: Tx, model: Model) -> None:
        assert problems(tx, FILESPACE) == []
        scene = Scene(tx, Caller(ANN, 2, "ann", FILESPACE, Role.READ), NoLocks(), self.stage.now_ns)
        for key, node in model.nodes.items():
            row = tx.node(key)
            assert row is not None
            assert (row.kind, row.parent, row.size, row.revision) == (node.kind, node.parent, node.size, node.revision)
            if node.kind == Kind.FOLDER:
                listing = perform(scene, m.ListFolder(key))
                assert isinstance(listing, m.Listing) and listing.version == node.changes
                children = {each.name for each in model.nodes.values() if each.parent == key}
                assert {entry.sealed_name for entry in listing.entries} == {sealed(name) for name in children}
            elif node.kind == Kind.FILE:
                found = perform(scene, m.ReadContent(key))
                assert isinstance(found, m.Found)
                assert self.frames(found.content.extents) == node.frames
                assert bool(found.content.small) == node.small


TestOperations = OperationsMachine.TestCase
TestOperations.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
