"""House checks beside the linter, the types and the import contracts."""
