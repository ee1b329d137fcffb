"""Transactional outbox: jobs are written in the transaction that causes them and handled after its commit.

A job names what to look at (kind, subject, revision), never the bytes to send: its handler reads the present and
decides. Delivery is at least once. The lease number grows each time a row is taken, so the result of a late handler
changes nothing. If every worker dies, the rows still say what there is to do.
"""
