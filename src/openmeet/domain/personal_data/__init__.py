"""Every column of the database: whose it is, whether it is personal, how long it is kept, who may see it. Merging
accounts, exporting data, erasing people and ``docs/privacy.md`` read it. A test compares it with the schema.
"""
