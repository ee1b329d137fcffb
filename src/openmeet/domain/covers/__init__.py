"""Covers: generated pictures for events without an uploaded one, drawn from title and topic.

The same words always give the same picture, so nothing is stored: the URL of a cover contains everything needed to draw
it.
"""
