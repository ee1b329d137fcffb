"""From event streams to the queue: streams are read, commits verified, and those that a tenant wants are enqueued.

Owns the installation-wide ``network`` database: sources with their cursors, repositories as last verified, interests of
tenants, identities, and rejected frames. A cursor moves only past messages that the queue has confirmed, so a crash
repeats messages and never loses one.
"""
