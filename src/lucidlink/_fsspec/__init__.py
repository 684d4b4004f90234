"""The parts of the fsspec driver, each a layer over the one before; `lucidlink.fsspec` puts them together."""
