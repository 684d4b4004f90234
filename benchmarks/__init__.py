"""How far the system is from what the machine can do. Run by hand: `python -m benchmarks`; see README.md there."""
