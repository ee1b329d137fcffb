"""Accounts: who may sign in to this server, and with what.

This package owns ``accounts``, ``sessions``, ``app_passwords``, ``invite_codes``, ``invite_code_uses``,
``email_tokens`` and ``released_handles``. Invariants: passwords and e-mail tokens are stored hashed, refresh tokens as
identifiers only; an unknown user costs the same hashing as a wrong password; one invite use creates one account; a
refresh token has one successor; an e-mailed token is used once.
"""
