"""The list: what is broken where, and which tests notice. Each `old` stands once in its file: a test checks it."""

from __future__ import annotations

from typing import NamedTuple


class Breakage(NamedTuple):
    """One mistake that one could make in good faith.

    Attributes:
        promise: its number in docs/TESTING.md.
        what: the mistake, in words.
        file: below `src`.
        old, new: the text that is replaced.
        tests: for pytest; at least one of them must fail.
    """

    promise: int
    what: str
    file: str
    old: str
    new: str
    tests: str


_ACCEPTANCE = "tests/integration/test_acceptance.py"

BREAKAGES = [
    Breakage(
        1, "a move takes the place of whatever is there", "lucidfs/namespace/changes.py",
        "    if not request.replace or (there.id", "    if (there.id",
        "tests/unit/test_operations_changing.py tests/property/test_operations_model.py",
    ),
    Breakage(
        1, "a create by a guess does not check where the path leads", "lucidfs/hub/operations/changing.py",
        "    if request.at is not None:", "    if False:",
        "tests/unit/test_operations_changing.py tests/integration/test_content_guesses.py",
    ),
    Breakage(
        1, "a folder is moved into itself", "lucidfs/namespace/changes.py",
        "    if row.kind == _FOLDER and folder.id != row.parent and is_inside(tree, folder, row.id):", "    if False:",
        f"{_ACCEPTANCE} tests/unit/test_operations_changing.py",
    ),
    Breakage(
        2, "a with block that ends in an exception publishes", "lucidlink/_raw.py",
        "        else:\n            self.abort()\n", "        else:\n            self.close()\n",
        "tests/integration/test_sdk_streams.py tests/unit/test_sdk_stream.py",
    ),
    Breakage(
        2, "a stream that is dropped without a close publishes", "lucidlink/_raw.py",
        "            await handle.abort()\n", "            await handle.close()\n",
        f"{_ACCEPTANCE}::TestClosedMeansSeen",
    ),
    Breakage(
        2, "the commit does not wait for its objects", "lucidfs/engine/draft.py",
        "    await view.uploads.finish(batches.values())\n", "",
        "tests/integration/test_content_basics.py",
    ),
    Breakage(
        2, "`flush` only reaches the buffer below", "lucidlink/stream.py",
        "            self._run(self._handle.flush())", "            pass",
        f"{_ACCEPTANCE}::TestClosedMeansSeen tests/integration/test_sdk_streams.py",
    ),
    Breakage(
        3, "dead objects have no grace", "lucidfs/hub/reaper.py",
        "int(self._grace_s * _SECOND_NS)", "0",
        "tests/unit/test_reaper.py tests/unit/test_cleaning.py",
    ),
    Breakage(
        3, "a reader follows the file", "lucidfs/engine/handle.py",
        "        done = 0\n        while done < len(view):\n",
        "        done = 0\n        await self.refresh()\n        while done < len(view):\n",
        f"{_ACCEPTANCE}::TestReaders tests/integration/test_content_basics.py",
    ),
    Breakage(
        4, "a commit is not compared with the revision it was made on", "lucidfs/namespace/changes.py",
        "    if row.revision != request.base and (request.base or not request.whole):", "    if False:",
        f"{_ACCEPTANCE}::TestNoLostUpdates tests/unit/test_operations_changing.py tests/unit/test_tree_content.py",
    ),
    Breakage(
        4, "appended bytes keep the place that they had when they were written", "lucidfs/engine/overlay.py",
        "        return max(shown, self.append_floor)", "        return self.append_start or shown",
        f"{_ACCEPTANCE}::TestNoLostUpdates tests/unit/test_content_overlay.py",
    ),
    Breakage(
        4, "what is written while it is packed is lost", "lucidfs/namespace/packing.py",
        "row.revision == each.revision and row.small_bytes", "row.small_bytes",
        "tests/unit/test_packer.py",
    ),
    Breakage(
        5, "the database is not synced", "lucidfs/hub/database/sqlite.py",
        "{'FULL' if durable else 'OFF'}", "OFF",
        "tests/contract/test_databases.py",
    ),
    Breakage(
        5, "objects are not synced", "lucidfs/objects/local.py",
        "            os.fsync(file)\n", "",
        "tests/contract/test_stores_local.py",
    ),
    Breakage(
        5, "`sync_all` does not wait", "lucidfs/engine/files.py",
        "            await asyncio.wait(set(self._flushing))", "            pass",
        "tests/integration/test_content_stores.py",
    ),
    Breakage(
        6, "the name of a file appears before its content", "lucidfs/engine/publish.py",
        "        content, wait = self._content(target.number, draft), Wait(target.wait_ms)\n",
        "        content, wait = self._content(target.number, draft), Wait(target.wait_ms)\n"
        "        await self._tree.create_file(target.folder, target.name, node=target.number, wait=wait)\n",
        f"{_ACCEPTANCE} tests/integration/test_content_guesses.py",
    ),
    Breakage(
        6, "a silent session is not ended", "lucidfs/hub/sessions.py",
        "now_s - session.seen_s >= self._limit_s]", "False]",
        "tests/unit/test_hub_sessions_silence.py tests/integration/test_hub_sessions.py",
    ),
    Breakage(
        7, "a change is answered before it is on disk", "lucidfs/hub/committer.py",
        "        else:\n            future = asyncio",
        "        else:\n            for job, fault in results:\n                job.settle(fault)\n"
        "            results = []\n            future = asyncio",
        "tests/unit/test_committer.py",
    ),
    Breakage(
        7, "the reply of a change is not stored with it", "lucidfs/hub/requests.py",
        "        tx.put_reply(session.id, self.seq, self._reply)\n", "",
        "tests/integration/test_hub_sessions.py",
    ),
    Breakage(
        8, "a commit does not look at the locks of others", "lucidfs/hub/operations/changing.py",
        "    check_unlocked(scene, row.id, Access.WRITE, request.touched)\n", "",
        f"{_ACCEPTANCE}::TestLocks tests/unit/test_operations_changing.py",
    ),
    Breakage(
        8, "who lost its lock is not fenced", "lucidfs/hub/operations/locking.py",
        "        if not scene.locks.holds(scene.caller.session, lock):", "        if False:",
        "tests/unit/test_operations_changing.py tests/unit/test_operations_reading.py",
    ),
    Breakage(
        8, "a release frees before it is on disk", "lucidfs/hub/locks.py",
        "            for table in (self._held, self._released)\n", "            for table in (self._held,)\n",
        "tests/unit/test_locktable.py tests/property/test_locktable_machine.py",
    ),
    Breakage(
        9, "content maps are taken as they come", "lucidfs/format/content.py",
        "    if not hmac.compare_digest(expected, content.mac):", "    if False:",
        "tests/unit/test_format_content.py tests/integration/test_tampering.py",
    ),
    Breakage(
        9, "a frame does not know its place", "lucidfs/format/frame.py",
        '_PLACE = struct.Struct(">QQQ")',
        "class _PLACE:\n"
        '    pack = staticmethod(lambda origin, index, generation: struct.pack(">QQ", origin, generation))',
        "tests/unit/test_format_frame.py",
    ),
    Breakage(
        9, "a name does not know its place", "lucidfs/crypto/keys.py",
        '    return _NAME_PLACE.pack(b"name", parent, node, kind)', '    return b"name"',
        "tests/unit/test_crypto_keys.py",
    ),
    Breakage(
        10, "a forked child uses its parent's connection", "lucidlink/_link.py",
        "            self.live = None\n\n    def connect", "            pass\n\n    def connect",
        "tests/integration/test_sdk_fork.py",
    ),
    Breakage(
        10, "a cached frame is overwritten while somebody reads it", "lucidfs/engine/cache/slots.py",
        "        return memoryview(slot).cast(\"B\")[:length]",
        "        view = memoryview(place[0])[place[1] : place[1] + length]\n        return view",
        "tests/unit/test_content_slots.py",
    ),
    Breakage(
        11, "errors do not name the path", "lucidfs/errors.py",
        "        return meaning.exception(meaning.errno, self.message, path)\n",
        "        return meaning.exception(meaning.errno, self.message)\n",
        f"{_ACCEPTANCE}::TestErrors",
    ),
    Breakage(
        11, "a folder that is not empty has no true errno", "lucidfs/errors.py",
        "Meaning(errno.ENOTEMPTY, OSError, 409, False)", "Meaning(errno.EIO, OSError, 409, False)",
        f"{_ACCEPTANCE}::TestErrors",
    ),
    Breakage(
        12, "the work grows with the size that a file claims", "lucidfs/engine/overlay.py",
        "        elif size > self.size:\n            self.floor = self.size = size",
        "        elif size > self.size:\n            self.write(self.size, memoryview(bytes(size - self.size)))",
        f"{_ACCEPTANCE}::TestBounds",
    ),
    Breakage(
        12, "a path may be as deep as it likes", "lucidfs/namespace/lookup.py",
        "    if len(tokens) > PATH_DEPTH_MAX:", "    if False:",
        "tests/unit/test_operations_reading.py tests/unit/test_operations_changing.py",
    ),
    Breakage(
        12, "the queue of changes has no end", "lucidfs/hub/committer.py",
        "        if len(self._queue) >= QUEUE_MAX and not urgent:", "        if False:",
        "tests/unit/test_committer.py",
    ),
    Breakage(
        12, "a client may send as many requests at once as it likes", "lucidfs/hub/connection.py",
        "REQUESTS_IN_FLIGHT_MAX:", "10**9:",
        "tests/integration/test_hub_sessions.py",
    ),
]  # fmt: skip
