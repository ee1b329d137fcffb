"""E-mail addresses, codes and tokens. Pure."""

import hashlib
import hmac
import re

from groundwork.clock import Instant
from groundwork.errors import InvalidForm
from groundwork.mail.address import parse_address
from groundwork.signing_key import SigningKey
from openmeet.sign_in.model import CODE_DIGITS, Challenge, ChallengeId


def check_email(text: str) -> str:
    """The address in the one spelling that we keep: lower-cased, all of it in ASCII. InvalidForm names ``email``.

    The mailer's own parser judges it, so that no code is owed to an address that no mail can carry. Whether the address
    exists only the mail itself can tell.
    """
    typed = text.strip().lower()
    if not typed:
        raise InvalidForm({"email": "Write your e-mail address."})
    local, at, domain = typed.rpartition("@")
    try:
        address = parse_address(local + at + (domain if domain.isascii() else domain.encode("idna").decode("ascii")))
    except ValueError:
        address = None
    if address is None or not address.isascii():
        raise InvalidForm({"email": "This does not look like an e-mail address; it should be like ana@example.org."})
    return address


def code_of(key: SigningKey, challenge_id: ChallengeId) -> str:
    """The six digits of a challenge: derived from the server's key, so that no code is stored anywhere (invariant 8)."""
    digest = key.digest(b"sign-in code\x00" + challenge_id.encode())
    # 64 bits against a million: the bias is below one in 10^13.
    return str(int.from_bytes(digest[:8]) % 10**CODE_DIGITS).zfill(CODE_DIGITS)


def is_right(key: SigningKey, challenge: Challenge, typed: str, now: Instant) -> bool:
    """Whether this is the code of a challenge that can still be used. Spaces and hyphens do not matter."""
    digits = re.sub(r"[\s-]", "", typed)
    # By the newest key alone: a code lives for minutes, and each further key would be another number that a guess may hit.
    same = hmac.compare_digest(code_of(key, challenge.id).encode(), digits.encode())
    return same and challenge.used_at is None and challenge.attempts_left > 0 and now < challenge.expires_at


def hash_token(token: str) -> bytes:
    """What is stored of a token. Tokens carry 256 random bits, so a plain hash cannot be reversed by trying."""
    return hashlib.sha256(token.encode()).digest()
