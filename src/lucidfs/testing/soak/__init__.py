"""A long mixed load on one hub, and what it does to memory, open files and threads: `python -m lucidfs.testing.soak`.

One hub process and some client processes of two threads each. Clients write small and large files, append, rewrite
ranges, read cold and warm, list, lock (whole files and ranges), move, delete, give up streams half written, fork, and
link anew; what they read is checked. The load is held to a share of a core, so that it can run beside other work.
"""
