"""Inventory of all database columns: whose data it is, whether it is personal, how long it is kept, who may see it.

Merging accounts, exporting data, erasing people and ``docs/privacy.md`` are based on it. A test compares it with the
schema.
"""
