"""Object stores: immutable bytes under an id, behind one protocol."""
