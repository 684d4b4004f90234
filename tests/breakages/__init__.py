"""Each promise broken in the code by hand, and the tests that must notice: `python -m tests.breakages`."""
