"""Style that a reader would otherwise have to check: sizes, docstrings, leftovers, dead modules, hidden time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.modules import TESTS, Module, imports, modules_of_tests, source_modules

LINES_MAX = 400  # docstrings and blank lines left out
TEST_LINES_MAX = 500  # a test file is read one test at a time
FUNCTION_LINES_MAX = 70
EVERYTHING = (*source_modules(), *modules_of_tests())

# Time and randomness are arguments, so that a simulation can own them. They enter where a program starts:
OUTERMOST = ("lucidfs.clock", "lucidfs.hub.serve", "lucidfs.cli", "lucidlink", "lucidfs.testing")
HIDDEN_INPUT = {
    "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns",
    "time.sleep", "os.urandom", "uuid.uuid1", "uuid.uuid4", "datetime.now", "datetime.utcnow", "datetime.today",
    "datetime.datetime.now", "date.today",
}  # fmt: skip
HIDDEN_MODULES = {"random", "secrets"}

# Modules that nothing imports, because a user, the interpreter or a simulation in one process does.
ENTRANCES = re.compile(
    r"lucidlink(\..*)?|lucidfs\.testing\..*|.*\.__main__|lucidfs\.wire\.(document|inprocess)|lucidfs\.objects\.memory"
)


@pytest.mark.parametrize("module", EVERYTHING, ids=lambda module: module.name)
def test_sizes_and_docstring(module: Module) -> None:
    lines = sum(1 for line in module.text.splitlines() if line.strip())
    lines -= sum(docstring_lines(node) for node in ast.walk(module.tree))
    bound = TEST_LINES_MAX if module.path.is_relative_to(TESTS) else LINES_MAX
    assert lines <= bound, f"{module.path} has {lines} lines, docstrings and blank lines left out"
    empty_package = module.path.name == "__init__.py" and not module.tree.body
    assert empty_package or ast.get_docstring(module.tree), f"{module.path} does not say its idea"
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1 - docstring_lines(node)
            assert length <= FUNCTION_LINES_MAX, f"{module.path}:{node.lineno} {node.name} has {length} lines"


def docstring_lines(node: ast.AST) -> int:
    """Lines of the docstring of a module, class or function; 0 for anything else."""
    if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return 0
    if not ast.get_docstring(node):
        return 0
    text = node.body[0]
    return (text.end_lineno or text.lineno) - text.lineno + 1


@pytest.mark.parametrize("module", EVERYTHING, ids=lambda module: module.name)
def test_nothing_is_left_over(module: Module) -> None:
    for number, line in enumerate(module.text.splitlines(), 1):
        assert not re.search(r"\b(FIX" + r"ME|TO" + r"DO|XX" + r"X|HA" + r"CK)\b", line), f"{module.path}:{number}"
        assert not re.search(r"^\s*(breakpoint|pdb\.set_trace)\(", line), f"{module.path}:{number}"
    for part in module.name.split("."):
        assert part not in {"utils", "util", "helpers", "common", "misc"}, f"{module.path}: name the subject"


@pytest.mark.parametrize("module", source_modules(), ids=lambda module: module.name)
def test_time_and_randomness_are_arguments(module: Module) -> None:
    if not module.within(*OUTERMOST):
        found = list(hidden_inputs(module))
        assert not found, "\n".join(found)


def hidden_inputs(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in HIDDEN_INPUT:
            yield f"{module.path}:{node.lineno} reads {ast.unparse(node)}"
    for name, line in imports(module):
        if name in HIDDEN_INPUT or name in HIDDEN_MODULES:
            yield f"{module.path}:{line} imports {name}"


def test_no_module_is_dead() -> None:
    imported = {name for module in source_modules() for name, _ in imports(module) if name != module.name}
    dead = [
        module.name
        for module in source_modules()
        if module.path.name != "__init__.py" and module.name not in imported and not ENTRANCES.fullmatch(module.name)
    ]
    assert not dead, f"imported by nothing: {dead}"


def test_the_checks_find_what_they_look_for() -> None:
    text = "import secrets\nfrom time import monotonic\nimport os\n\n\ndef f():\n    return os.urandom(3)\n"
    source = source_modules()[0]
    planted = Module("lucidfs.planted", source.path, text, ast.parse(text))
    assert len(list(hidden_inputs(planted))) == 3
