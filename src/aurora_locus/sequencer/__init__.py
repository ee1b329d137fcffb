"""The event log and its subscribers: numbered events, stored as the bytes that are sent.

An event is appended only in the transaction that it announces (invariant 2), and numbers never go back. Subscribers
page by number: from the ring buffer while they keep up, otherwise from the database.
"""
