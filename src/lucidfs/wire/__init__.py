"""What client and hub say to each other: docs/PROTOCOL.md as code."""
