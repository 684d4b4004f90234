"""The string options of a daemon, checked: which hub, how much cache."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from lucidfs.engine.cache.sizing import default_memory_bytes
from lucidfs.limits import DISK_CACHE_MIB, MIB
from lucidlink.exceptions import ConfigurationError

HUB_URL_DEFAULT = "http://127.0.0.1:7117"
HUB_URL_VARIABLE = "LUCIDLINK_HUB"

_KNOWN = ("fs.cache.memory", "fs.cache.size", "hub.allow_plaintext", "hub.url")
_SCHEMES = ("http", "https", "ws", "wss")
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")
_CACHE_MIB_MAX = 1024 * 1024  # a terabyte; more is a slip of the unit


@dataclass(frozen=True)
class Options:
    """What `config={…}` says.

    Attributes:
        hub_url: `hub.url`, else the environment's LUCIDLINK_HUB, else the local default.
        allow_plaintext: `hub.allow_plaintext`: speak without TLS to a hub that is not on this machine.
        cache_bytes: `fs.cache.size` (there in MB): disk cache of each linked filespace.
        memory_bytes: `fs.cache.memory` (there in MB): what was read and written lately, of each linked filespace.
    """

    hub_url: str
    allow_plaintext: bool
    cache_bytes: int
    memory_bytes: int


def read_options(config: Mapping[str, str] | None) -> Options:
    """Check a daemon's `config`. Raises ConfigurationError naming the key that is unknown or has a bad value."""
    if config is not None and not isinstance(config, Mapping):
        raise ConfigurationError(f"config: expected a dict of strings, got {type(config).__name__}")
    given = dict(config or {})
    for key, value in given.items():
        if key not in _KNOWN:
            raise ConfigurationError(f"{key}: unknown option; known are {', '.join(_KNOWN)}")
        if not isinstance(value, str):
            raise ConfigurationError(f"{key}: expected a string, got {type(value).__name__}")
    memory = given.get("fs.cache.memory")
    return Options(
        hub_url=_url(given),
        allow_plaintext=_flag("hub.allow_plaintext", given.get("hub.allow_plaintext", "false")),
        cache_bytes=_megabytes("fs.cache.size", given.get("fs.cache.size", str(DISK_CACHE_MIB))) * MIB,
        memory_bytes=default_memory_bytes() if memory is None else _megabytes("fs.cache.memory", memory) * MIB,
    )


def _url(given: Mapping[str, str]) -> str:
    key = "hub.url"
    text = given.get(key)
    if text is None:
        key, text = HUB_URL_VARIABLE, os.environ.get(HUB_URL_VARIABLE) or HUB_URL_DEFAULT
    try:
        parts = urlsplit(text)
        complete = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        complete = False
    if not complete:
        raise ConfigurationError(f"{key}: expected a URL such as https://hub.example.com, got {text!r}")
    return text.rstrip("/")


def _flag(key: str, text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ConfigurationError(f"{key}: expected true or false, got {text!r}")


def _megabytes(key: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) <= _CACHE_MIB_MAX:
        raise ConfigurationError(f"{key}: expected a number of MB from 1 to {_CACHE_MIB_MAX}, got {text!r}")
    return int(text)
