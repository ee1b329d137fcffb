"""Tests of the table of all columns."""
