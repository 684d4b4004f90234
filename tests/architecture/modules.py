"""The source as the architecture tests see it: every module of `src`, parsed once."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
TESTS = ROOT / "tests"


class Module(NamedTuple):
    """One parsed file; `name` as it is imported (tests: their path)."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    def within(self, *packages: str) -> bool:
        """Whether this is one of the named modules, or inside one of the named packages."""
        return any(self.name == package or self.name.startswith(package + ".") for package in packages)


@functools.cache
def source_modules() -> tuple[Module, ...]:
    """Every module of the two packages."""
    found = []
    for package in ("lucidfs", "lucidlink"):
        found += [_parse(path, SOURCE) for path in sorted((SOURCE / package).rglob("*.py"))]
    return tuple(found)


@functools.cache
def modules_of_tests() -> tuple[Module, ...]:
    """Every module of the tests."""
    return tuple(_parse(path, TESTS) for path in sorted(TESTS.rglob("*.py")))


def _parse(path: Path, base: Path) -> Module:
    parts = list(path.relative_to(base).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    text = path.read_text(encoding="utf-8")
    return Module(".".join(parts), path, text, ast.parse(text, str(path)))


def imports(module: Module) -> Iterator[tuple[str, int]]:
    """(imported module, line) of every import, also inside functions; `from a import b` yields a and a.b."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node)
            yield base, node.lineno
            for alias in node.names:
                yield f"{base}.{alias.name}", node.lineno


def _base(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.name.split(".")
    keep = len(package) - node.level + (module.path.name == "__init__.py")
    return ".".join(package[:keep] + ([node.module] if node.module else []))
