"""API tokens (what a program may do, and how often) and idempotency keys for requests that are sent twice.

A token is shown once and stored as a hash (invariant 8). A request with an idempotency key is carried out once: the
key, the digest of the request and the response are written in the same transaction as its effect.
"""
