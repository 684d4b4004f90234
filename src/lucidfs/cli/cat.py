"""`lucid cat`: the bytes of files to stdout."""

from __future__ import annotations

import base64
import sys
from typing import Annotated

import typer

from lucidfs.cli import options
from lucidfs.cli.exits import reporting
from lucidfs.cli.location import parse_in_filespace
from lucidfs.cli.output import print_json
from lucidfs.cli.remote import Remote
from lucidfs.limits import MIB

EXAMPLES = """\b
Examples:
  lucid cat lucidlink://demo/production-data/example.txt
  lucid cat lucidlink://demo/production-data/log.gz | zcat | tail"""


def cat(
    urls: Annotated[list[str], typer.Argument(metavar="URL", help="Files.")],
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Write files to standard output. With --json: base64, because a file may be anything."""
    with reporting(json):
        locations = [parse_in_filespace(url) for url in urls]
        with Remote(hub, token, allow_plaintext) as remote:
            if json:
                contents = [(location, remote.fs(location).read_file(location.path)) for location in locations]
                print_json(
                    [
                        {"url": str(place), "size": len(data), "base64": base64.b64encode(data).decode()}
                        for place, data in contents
                    ]
                )
                return
            for location in locations:
                with remote.fs(location).open(location.path, "rb", buffering=0) as file:
                    while chunk := file.read(MIB):
                        sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
