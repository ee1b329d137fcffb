"""Tests that nobody can read private content without permission."""
