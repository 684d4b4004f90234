"""Databases of the hub behind one protocol: `base` declares it, `sqlite` is the embedded one."""
