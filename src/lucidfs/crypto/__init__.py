"""Bytes to bytes: keys, sealing, names. No I/O and no knowledge of files; docs/FORMAT.md says what is sealed how."""
