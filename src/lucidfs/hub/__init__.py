"""The server: it keeps the tree, the locks and the accounts, and can read none of what it keeps."""
