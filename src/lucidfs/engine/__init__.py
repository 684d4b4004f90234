"""The client: everything between a program's calls and the hub. Async on one loop thread, owned by whoever links."""
