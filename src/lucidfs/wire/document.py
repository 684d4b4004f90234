"""The message tables of docs/PROTOCOL.md, made from the declarations.

`python -m lucidfs.wire.document docs/PROTOCOL.md` rewrites them: everything after the marker line. A test keeps
the page and the declarations in step.
"""

from __future__ import annotations

import re
import sys
import typing
from enum import IntEnum
from pathlib import Path

import msgspec

from lucidfs.errors import Code
from lucidfs.types import Access, Kind, LockMode, Role
from lucidfs.wire import messages
from lucidfs.wire.messages import REQUESTS, Message, PushBody, ReplyBody

MARKER = "<!-- generated from wire/messages.py by `python -m lucidfs.wire.document`; a test keeps it so -->"

_ENUMS: tuple[type[IntEnum], ...] = (Kind, Role, LockMode, Access, Code)
_ENVELOPES = (messages.Request, messages.Reply, messages.Failure, messages.Push)


def generated() -> str:
    """The tables, as they belong after the marker."""
    replies, pushes = typing.get_args(ReplyBody), typing.get_args(PushBody)
    bodies = {*REQUESTS, *replies, *pushes, *_ENVELOPES}
    values = [kind for kind in _declared() if kind not in bodies]
    lines = [
        "A message is an array: its tag (where there is one), then the fields in this order; fields with `=` may be "
        "missing at the end. Unknown fields at the end are ignored.",
        "",
        "### Requests",
        "| tag | message | fields | reply | change | least role |",
        "|---|---|---|---|---|---|",
    ]
    for kind, call in REQUESTS.items():
        change = "yes" if call.change else ""
        lines.append(f"{_row(kind)} {call.reply.__name__} | {change} | {call.role.name.lower()} |")
    for title, kinds in (("Replies", replies), ("Pushes", pushes), ("Envelopes", _ENVELOPES)):
        lines += ["", f"### {title}", "| tag | message | fields |", "|---|---|---|", *map(_row, kinds)]
    lines += ["", "### Values inside messages", "| value | fields |", "|---|---|"]
    lines += [f"| {kind.__name__} | {_fields(kind)} |" for kind in values]
    lines += ["", "### Numbers", "| kind | numbers |", "|---|---|"]
    lines += [f"| {kind.__name__} | {', '.join(f'{int(each)} {each.name}' for each in kind)} |" for kind in _ENUMS]
    return "\n".join(lines) + "\n"


def rewritten(text: str) -> str:
    """The page with its tables made anew. Raises ValueError when the marker is missing."""
    head, marker, _ = text.partition(MARKER)
    if not marker:
        raise ValueError("the marker line is missing")
    return f"{head}{MARKER}\n{generated()}"


def _declared() -> list[type[Message]]:
    found = [value for value in vars(messages).values() if isinstance(value, type) and issubclass(value, Message)]
    return [kind for kind in found if kind is not Message]


def _row(kind: type[Message]) -> str:
    tag = kind.__struct_config__.tag
    return f"| {'' if tag is None else tag} | {kind.__name__} | {_fields(kind)} |"


def _fields(kind: type[Message]) -> str:
    return ", ".join(_field(kind, field) for field in msgspec.structs.fields(kind))


def _field(kind: type[Message], field: msgspec.structs.FieldInfo) -> str:
    declared = kind.__annotations__[field.name]
    text = f"{field.name}: {_type(declared)}"
    if field.default is not msgspec.NODEFAULT:
        default = field.default
        shown = default.name if hasattr(default, "name") else "()" if isinstance(default, Message) else repr(default)
        text += f" = {shown}"
    elif field.default_factory is not msgspec.NODEFAULT:
        text += " = []"
    return text.replace("|", "\\|")


def _type(declared: object) -> str:
    """An annotation as a reader of a table wants it."""
    return re.sub(r"\b(\w+\.)+", "", str(declared))


def main() -> None:
    """Rewrite the page named on the command line."""
    path = Path(sys.argv[1])
    path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
