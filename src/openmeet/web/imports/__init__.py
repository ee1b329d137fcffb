"""Importing files, addresses and lists, and answering an invitation from a list."""
