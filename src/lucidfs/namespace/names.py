"""Paths become lists of names here, and only here: normalised, checked, and never above the root."""

from __future__ import annotations

from lucidfs.errors import Code, Fault
from lucidfs.limits import NAME_BYTES_MAX, PATH_DEPTH_MAX


def split_path(path: str) -> list[str]:
    """The names along a path, from the root. The root itself is the empty list.

    Empty parts and `.` are dropped; `..` takes the name before it back, as text (a link before it is not followed).
    A relative path means the same path from the root.

    Args:
        path: names divided by `/`.

    Raises:
        Fault: INVALID for a path above the root, a NUL, text that is not Unicode, or more than PATH_DEPTH_MAX names;
            NAME_TOO_LONG for a name of more than NAME_BYTES_MAX bytes of UTF-8.
    """
    names: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if not names:
                raise Fault(Code.INVALID, "the path leads above the root: take one '..' away")
            names.pop()
            continue
        names.append(_checked(part))
    if len(names) > PATH_DEPTH_MAX:
        raise Fault(Code.INVALID, f"the path has {len(names)} names, more than {PATH_DEPTH_MAX}")
    return names


def check_name(name: str) -> str:
    """Return `name` when one entry of a folder can be called so.

    Raises:
        Fault: INVALID for an empty name, `.`, `..`, a `/`, a NUL, or text that is not Unicode; NAME_TOO_LONG.
    """
    if name in ("", ".", ".."):
        raise Fault(Code.INVALID, f"{name!r} cannot be the name of an entry")
    if "/" in name:
        raise Fault(Code.INVALID, "a name cannot contain '/'")
    return _checked(name)


def _checked(name: str) -> str:
    if "\0" in name:
        raise Fault(Code.INVALID, "a name cannot contain a NUL character")
    try:
        length = len(name.encode())
    except UnicodeEncodeError:  # a lone surrogate: bytes that some other system could not decode
        raise Fault(Code.INVALID, "a name must be valid Unicode (this one has a lone surrogate)") from None
    if length > NAME_BYTES_MAX:
        raise Fault(Code.NAME_TOO_LONG, f"a name has {length} bytes of UTF-8, more than {NAME_BYTES_MAX}")
    return name
