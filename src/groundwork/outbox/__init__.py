"""Transactional outbox: jobs are written in the transaction that causes them and handled after its commit.

A job only names its subject and revision and contains no data to send. Its handler reads the current state and decides.
Delivery is at least once. The lease number increases each time a row is leased, so the result of a handler whose lease
has expired changes nothing. If every worker crashes, the rows still show what has to be done.
"""
