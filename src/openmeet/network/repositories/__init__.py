"""People's PDSes: sessions, OAuth clients, custodial accounts, and reading repositories with proofs.

Only one worker at a time refreshes a session: the session's version is compared when new tokens are stored.
"""
