"""The event log and its readers: what happened on this host, numbered, stored as the very bytes that are sent.

The log is appended only inside the transaction that it announces (invariant 2); numbers never go back. Readers page by
number: from the ring while they keep up, from the database when they come back.
"""
