"""Tests of retention and of deleting accounts."""
