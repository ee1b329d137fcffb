"""A person's DIDs and handles, their consent to publish, and what they granted.

Invariants: a DID belongs to one person; nothing about a person is published, and no repository or DID is made for them, before
they said yes; tokens and passwords are sealed.
"""
