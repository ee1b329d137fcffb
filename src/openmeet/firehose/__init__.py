"""From the network to the queue: sources are read, frames verified, what concerns somebody here is enqueued.

Owns the installation-wide ``network`` database: sources with their cursors, repositories as last verified, interests
of tenants, identities of the network, and frames that were rejected. A cursor moves only behind messages that the
queue has confirmed, so a crash repeats messages and never loses one.
"""
