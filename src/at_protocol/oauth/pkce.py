"""PKCE (RFC 7636), S256 only. It ensures that the token request comes from the client that requested the code."""

import hmac
import re
from hashlib import sha256

from at_protocol.crypto import base64url
from at_protocol.failures import Malformed

METHOD = "S256"

# RFC 7636 section 4.1: 43 to 128 unreserved characters.
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
# Length of a SHA-256 hash in base64url.
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def challenge_of(verifier: str) -> str:
    """Return the challenge for a verifier. Raises Malformed (kind ``code_verifier``)."""
    if _VERIFIER.fullmatch(verifier) is None:
        raise Malformed("code_verifier", "(secret)", "a verifier is 43 to 128 unreserved characters")
    return base64url.encode(sha256(verifier.encode("ascii")).digest())


def parse_challenge(text: str) -> str:
    """Parse a challenge. Raises Malformed (kind ``code_challenge``)."""
    if _CHALLENGE.fullmatch(text) is None:
        raise Malformed("code_challenge", text, "an S256 challenge is 43 characters of base64url")
    return text


def answers(verifier: str, challenge: str) -> bool:
    """Whether the verifier matches the challenge. Raises Malformed for an invalid verifier."""
    return hmac.compare_digest(challenge_of(verifier), challenge)
