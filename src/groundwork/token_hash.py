"""Hash of a secret token. Only the hash is stored, so that nobody can use what they read in the database."""

from hashlib import sha256


def hash_token(token: str) -> bytes:
    """The hash that is stored. Tokens have at least 128 random bits, so even a plain hash cannot be reversed by trying."""
    return sha256(token.encode()).digest()
