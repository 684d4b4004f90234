"""What stored bytes mean: docs/FORMAT.md as code. No I/O; crypto seals, this says what is sealed in which shape."""
