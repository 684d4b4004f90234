"""`python -m lucidfs.cli` is `lucid`."""

from lucidfs.cli.main import main

if __name__ == "__main__":
    main()
