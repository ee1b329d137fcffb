"""E-mail addresses, codes and tokens. Pure."""

import hashlib
import hmac
import re

from groundwork.clock import Instant
from groundwork.errors import InvalidForm
from openmeet.sign_in.model import CODE_DIGITS, Challenge, ChallengeId

MAX_EMAIL = 254

# What mail servers deliver in practice (RFC 5321 without quoted local parts and address literals). Whether it exists
# only the mail itself can tell.
_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
)


def check_email(text: str) -> str:
    """The address in the one spelling that we keep: lower-cased, the domain in ASCII. InvalidForm names ``email``."""
    address = text.strip().lower()
    local, _, domain = address.rpartition("@")
    try:
        address = f"{local}@{domain.encode('idna').decode('ascii')}" if not domain.isascii() else address
    except UnicodeError:
        raise InvalidForm({"email": "The part after the @ is no domain."}) from None
    if not address:
        raise InvalidForm({"email": "Write your e-mail address."})
    if len(address) > MAX_EMAIL or not _EMAIL.fullmatch(address):
        raise InvalidForm({"email": "This does not look like an e-mail address; it should be like ana@example.org."})
    return address


def code_of(key: bytes, challenge_id: ChallengeId) -> str:
    """The six digits of a challenge: derived from the server's key, so that no code is stored anywhere (invariant 8)."""
    digest = hmac.digest(key, b"sign-in code\x00" + challenge_id.encode(), hashlib.sha256)
    # 64 bits against a million: the bias is below one in 10^13.
    return str(int.from_bytes(digest[:8]) % 10**CODE_DIGITS).zfill(CODE_DIGITS)


def is_right(key: bytes, challenge: Challenge, typed: str, now: Instant) -> bool:
    """Whether this is the code of a challenge that can still be used. Spaces and hyphens do not matter."""
    digits = re.sub(r"[\s-]", "", typed)
    same = hmac.compare_digest(code_of(key, challenge.id).encode(), digits.encode())
    return same and challenge.used_at is None and challenge.attempts_left > 0 and now < challenge.expires_at


def hash_token(token: str) -> bytes:
    """What is stored of a token. Tokens carry 256 random bits, so a plain hash cannot be reversed by trying."""
    return hashlib.sha256(token.encode()).digest()
