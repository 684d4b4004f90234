"""JuiceFS through its own SDK, in an environment of its own: run by its Python, prints seconds as JSON.

Its metadata is in SQLite, its objects in a folder: what openlucid's hub uses too. Files are synced one by one.
Usage: PYTHON rival_juicefs.py META OBJECTS COUNT SIZE
"""

from __future__ import annotations

import json
import os
import sys
import time

import juicefs  # type: ignore[import-not-found,unused-ignore]


def main(meta: str, objects: str, count: int, size: int) -> None:
    """Create and read small files from one thread."""
    fs = juicefs.JuiceFS("bench", {"meta": meta, "bucket": objects})
    data, prefix = os.urandom(size), os.urandom(4).hex()
    begin = time.perf_counter()
    for number in range(count):
        file = fs.open(f"/{prefix}-{number}", os.O_CREAT | os.O_WRONLY)
        fs.write(file, data)
        fs.fsync(file)
        fs.close(file)
    created = time.perf_counter()
    for number in range(count):
        file = fs.open(f"/{prefix}-{number}", os.O_RDONLY)
        assert fs.read(file, size) == data
        fs.close(file)
    print(json.dumps({"create": created - begin, "read": time.perf_counter() - created}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
