"""A person's DIDs, handles and repository sessions; consent to publishing; repositories kept for people who agreed.

Invariants: a DID belongs to one person; nothing of a person is published, and no repository or DID exists for them,
before they said yes; tokens and passwords are sealed; a session is refreshed by one worker at a time, because its
version is compared when the new tokens are stored.
"""
