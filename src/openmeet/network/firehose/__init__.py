"""Read event streams, verify their commits, and enqueue the changes that tenants want.

Owns the installation-wide ``network`` database: sources and their cursors, the last verified state of each repository,
interests of tenants, identities, and rejected frames. A cursor moves only past messages that the queue has confirmed,
so a crash can repeat messages but never loses one.
"""
