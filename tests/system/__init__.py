"""Whole stories through real programs: each test starts what it needs, on free ports, in a folder of its own."""
