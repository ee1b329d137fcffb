"""The event log and its subscribers: numbered events, stored as the bytes that are sent.

The log is appended only inside the transaction that it announces (invariant 2); numbers never go back. Subscribers page by
number: from the ring buffer while they keep up, from the database otherwise.
"""
