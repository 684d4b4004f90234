"""Options that many commands share, declared once."""

from __future__ import annotations

from typing import Annotated

import typer

HUB_DEFAULT = "http://127.0.0.1:7117"

HubOption = Annotated[str, typer.Option("--hub", envvar="LUCIDLINK_HUB", metavar="URL", help="Address of the hub.")]
TokenOption = Annotated[
    str,
    typer.Option(
        "--token",
        envvar="LUCIDLINK_TOKEN",
        metavar="TOKEN",
        show_default=False,
        help="Token of a service account. Other users of this machine can see arguments: prefer the variable.",
    ),
]
PlaintextOption = Annotated[bool, typer.Option("--allow-plaintext", help="Permit http:// to a hub on another machine.")]
PrivateEndpointsOption = Annotated[
    bool,
    typer.Option(
        "--allow-private-endpoints",
        envvar="LUCID_HUB_ALLOW_PRIVATE_ENDPOINTS",
        help="Let accounts name S3 servers of this machine and its network. Else only public addresses are used.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, errors too.")]
JobsOption = Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="How many files or folders at once.")]

JOBS_DEFAULT = 8  # enough to hide round trips of small files; large ones are limited by sealing, which has two cores
