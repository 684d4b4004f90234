"""One door per third-party library, so that each can be replaced, and its exceptions translated, in one place."""

from __future__ import annotations

import sys

from tests.architecture.modules import imports, source_modules

DOORS: dict[str, tuple[str, ...]] = {
    "cryptography": ("lucidfs.crypto", "lucidfs.identity", "lucidfs.hub.secrets"),  # the last: keys of S3 buckets only
    "cramjam": ("lucidfs.format",),
    "msgspec": ("lucidfs.wire", "lucidfs.hub.database", "lucidfs.hub.api", "lucidfs.cli"),  # the last two: JSON
    "picows": ("lucidfs.wire.websocket",),
    "urllib3": ("lucidfs.objects.http", "lucidfs.wire.rest"),
    "apsw": ("lucidfs.hub.database",),
    "aiohttp": ("lucidfs.hub.web", "lucidfs.hub.gateway", "lucidfs.hub.api", "lucidfs.hub.serve"),
    "prometheus_client": ("lucidfs.hub.metrics",),
    "fsspec": ("lucidlink._fsspec",),
    "upath": ("lucidlink._fsspec.upath",),
    "typer": ("lucidfs.cli",),
    "click": ("lucidfs.cli",),
    "rich": ("lucidfs.cli",),
    "pytest": ("lucidfs.testing",),
    "hypothesis": ("lucidfs.testing",),
}
OWN = {"lucidfs", "lucidlink", "__future__", "_typeshed"}


def test_each_library_is_imported_behind_its_door_only() -> None:
    wrong = []
    for module in source_modules():
        for name, line in imports(module):
            library = name.partition(".")[0]
            if library in OWN or library in sys.stdlib_module_names:
                continue
            if not module.within(*DOORS.get(library, ())):
                wrong.append(f"{module.path}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_every_door_is_used() -> None:
    used = {name.partition(".")[0] for module in source_modules() for name, _ in imports(module)}
    optional = {"pytest", "hypothesis", "click", "rich"}
    assert not set(DOORS) - optional - used
