"""A user's DIDs and handles, consent to publish, and granted permissions.

Invariants: a DID belongs to one person. Before a person consents, nothing about them is published and no repository or
DID is created for them. Tokens and passwords are sealed.
"""
