"""Decisions that hosts of events and organisers of groups have to make, in addition to requests for a place.

The package reads the tables of other packages and has none itself.
"""
