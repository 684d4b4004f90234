"""S3 and what speaks it: addresses, signatures, a client of one bucket, and an object store in one."""
