"""Tests that private content reaches nobody who may not see it."""
