"""Challenges and sessions: their values, and the rules for e-mail addresses, codes and tokens. Pure."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import DAY, MINUTE, Instant
from groundwork.errors import InvalidForm
from groundwork.mail.address import parse_address
from groundwork.signing_key import SigningKey
from openmeet.domain.users.model import UserId

ChallengeId = NewType("ChallengeId", str)

# Neither 0 and O, 1, I and L, nor letters that are read as digits: B, S, Z; nor U, which is read as V.
CODE_ALPHABET = "23456789ACDEFGHJKMNPQRTVWXY"
CODE_LENGTH = 8
CODE_LIFE = 30 * MINUTE
# For one time that a code was asked for.
CODE_TRIES = 5
# For one e-mail address, from everywhere and whatever was asked for: 20 among 280,000,000,000 codes.
CODE_TRIES_A_DAY = 20
# Whoever has so many e-mails whose codes work needs no further one: as long as no more are sent, one of those works.
MAX_MAILED = 4

SESSION_LIFE = 60 * DAY
# Shorter: API tokens end up in scripts and shells' histories.
API_SESSION_LIFE = 30 * DAY

CODE_MAIL = "sign_in_code"


class SessionTransport(StrEnum):
    """Where a session's token travels: in a cookie, or in the Authorization header. One never works as the other."""

    BROWSER = "browser"
    API = "api"


@dataclass(frozen=True, slots=True)
class Challenge:
    """A code was asked for. ``display_name`` is what a newcomer wants to be called; empty when they have not said.

    ``browser_hash``: by which browser; None for programs. ``is_mailed``: whether an e-mail was sent for it.
    """

    id: ChallengeId
    email: str
    display_name: str
    attempts_left: int
    next_path: str
    created_at: Instant
    expires_at: Instant
    used_at: Instant | None
    browser_hash: bytes | None = None
    is_mailed: bool = True


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A token just made; it is shown once and only its hash is kept."""

    token: str
    user_id: UserId
    expires_at: Instant


# What people type who read a digit or a V for a letter that no code has.
_LOOK_ALIKES = str.maketrans("BSZU", "852V")


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
    """Eight letters and digits without look-alikes: derived from the server's key, so that no code is stored anywhere
    (invariant 8).
    """
    digest = key.digest(b"sign-in code\x00" + challenge_id.encode())
    # 128 bits against 27^8: no code is noticeably likelier than another.
    number = int.from_bytes(digest[:16])
    code = ""
    for _ in range(CODE_LENGTH):
        number, place = divmod(number, len(CODE_ALPHABET))
        code += CODE_ALPHABET[place]
    return code


def spaced(code: str) -> str:
    """A code as people read it: 7KQM 2PXA."""
    return f"{code[: CODE_LENGTH // 2]} {code[CODE_LENGTH // 2 :]}"


def is_right(key: SigningKey, challenge: Challenge, typed: str, now: Instant) -> bool:
    """Whether this is the code of an e-mail that was sent and can still be used.

    Case, spaces and hyphens do not matter, and letters that were read for others count as those.
    """
    read = re.sub(r"[\s-]", "", typed).upper().translate(_LOOK_ALIKES)
    # By the newest key alone: a code lives for minutes, and each further key would be another number that a guess may hit.
    same = hmac.compare_digest(code_of(key, challenge.id).encode(), read.encode())
    return same and _is_live(challenge, now)


def link_token(key: SigningKey, challenge_id: ChallengeId) -> str:
    """What the link of an e-mail carries; derived like the code, with 192 bits."""
    digest = key.digest(b"sign-in link\x00" + challenge_id.encode())
    return f"{challenge_id}.{urlsafe_b64encode(digest[:24]).decode()}"


def challenge_of_link(key: SigningKey, token: str) -> ChallengeId | None:
    """Which e-mail a link came with; None for what we never made."""
    challenge_id = ChallengeId(token.partition(".")[0])
    made = link_token(key, challenge_id)
    return challenge_id if hmac.compare_digest(made.encode(), token.encode(errors="replace")) else None


def _is_live(challenge: Challenge, now: Instant) -> bool:
    return challenge.is_mailed and challenge.used_at is None and now < challenge.expires_at


def hash_token(token: str) -> bytes:
    """What is stored of a token. Tokens carry 256 random bits, so a plain hash cannot be reversed by trying."""
    return hashlib.sha256(token.encode()).digest()
