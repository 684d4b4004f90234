"""The command line: one file per command, over the SDK for files and the management API for everything else."""
