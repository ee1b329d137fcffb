"""Accounts: who may sign in to this server, and with which credentials.

This package owns ``accounts``, ``sessions``, ``app_passwords``, ``invite_codes``, ``invite_code_uses``,
``email_tokens`` and ``released_handles``. Invariants: passwords and e-mail tokens are stored only as hashes, refresh
tokens only as identifiers; an unknown user costs the same hashing as a wrong password; one invite use creates one
account; a refresh token has one successor; an e-mailed token can be used once.
"""
