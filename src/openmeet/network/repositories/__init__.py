"""People's PDSes: sessions, OAuth clients, custodial accounts, and reading repositories with proofs.

A session is refreshed by one worker at a time: its version is compared when new tokens are stored.
"""
