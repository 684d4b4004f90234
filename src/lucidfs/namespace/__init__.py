"""The rules of the tree and of content maps: pure functions that hub and client run alike."""
