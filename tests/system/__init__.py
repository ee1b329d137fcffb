"""End-to-end tests with real programs. Each test starts what it needs on free ports and in its own folder."""
