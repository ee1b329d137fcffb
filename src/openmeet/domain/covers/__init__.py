"""Covers: a picture for each event without an upload, drawn from its title and topic.

The same words always give the same picture, so nothing is stored: a cover's address holds all that drawing needs.
"""
