"""Bounded caches: plaintext frames in memory, sealed frames on disk."""
