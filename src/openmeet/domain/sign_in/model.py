"""Challenges and sessions: values, and rules for e-mail addresses, codes and tokens. Pure."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from groundwork.errors import InvalidForm
from groundwork.mail.address import parse_address
from groundwork.signing_key import SigningKey
from openmeet.domain.sign_in.reasons import SignInReason
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import SOURCE

ChallengeId = NewType("ChallengeId", str)

# No look-alikes (0 and O, 1, I and L), no letters read as digits (B, S, Z), and no U, which is read as V.
CODE_ALPHABET = "23456789ACDEFGHJKMNPQRTVWXY"
CODE_LENGTH = 8
CODE_LIFE = 30 * MINUTE
# Wrong tries per request.
CODE_TRIES = 5
# Per e-mail address and day, from all clients and requests: 20 among 280,000,000,000 codes.
CODE_TRIES_A_DAY = 20
# So many e-mails with unused codes go to an address at once; then each next one only after a pause, which doubles. Until then
# the last code works, so that nobody who fills a mailbox locks its owner out. At most 17 a day.
MAX_MAILED = 4
MAX_PAUSE = 2 * HOUR
# How long e-mails with unused codes are counted.
MAILED_WITHIN = DAY

SESSION_LIFE = 60 * DAY
# Shorter: API tokens end up in scripts and shell histories.
API_SESSION_LIFE = 30 * DAY

CODE_MAIL = "sign_in_code"


class SessionTransport(StrEnum):
    """How a session's token is sent: in a cookie or in the Authorization header. One is never accepted as the other."""

    BROWSER = "browser"
    API = "api"


class SessionStrength(StrEnum):
    """What the sign-in of a session proves about who is there.

    ``FULL``: the person showed a code or a password at that moment. ``APP_PASSWORD``: it may belong to a program.
    ``SILENT``: their account server was not told to ask, and may have let in anyone at a browser that is signed in there.
    """

    FULL = "full"
    APP_PASSWORD = "app_password"  # noqa: S105 - the name of a kind
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Challenge:
    """A requested code. ``display_name`` is what a new user wants to be called; empty if they have not said.

    ``browser_hash``: the requesting browser; None for programs. ``is_mailed``: whether an e-mail was sent for it.
    ``language``: of the page or program that asked.
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
    language: str = SOURCE


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session token; it is shown once and only its hash is stored. ``keeps_account``: its owner had asked for the
    deletion of the account, and signing in cancelled that.
    """

    token: str
    user_id: UserId
    expires_at: Instant
    keeps_account: bool = False


# Replacements for characters that no code has but people type.
_LOOK_ALIKES = str.maketrans("BSZU", "852V")


def check_email(text: str) -> str:
    """The address in canonical form: lower case, ASCII. InvalidForm names ``email``.

    The mailer's own parser checks it, so that no job is made for an address that cannot be sent to. Whether the mailbox
    exists only the e-mail can tell.
    """
    typed = text.strip().lower()
    if not typed:
        raise InvalidForm({"email": SignInReason.EMAIL_NEEDED})
    local, at, domain = typed.rpartition("@")
    try:
        address = parse_address(local + at + (domain if domain.isascii() else domain.encode("idna").decode("ascii")))
    except ValueError:
        address = None
    if address is None or not address.isascii():
        raise InvalidForm({"email": SignInReason.MALFORMED_EMAIL})
    return address


def code_of(key: SigningKey, challenge_id: ChallengeId) -> str:
    """Eight characters without look-alikes, derived from the server's key, so that no code is stored (invariant 8)."""
    digest = key.digest(b"sign-in code\x00" + challenge_id.encode())
    # 128 bits reduced to 27^8: the bias is negligible.
    number = int.from_bytes(digest[:16])
    code = ""
    for _ in range(CODE_LENGTH):
        number, place = divmod(number, len(CODE_ALPHABET))
        code += CODE_ALPHABET[place]
    return code


def pause_after(mailed: int) -> int:
    """Microseconds until the next e-mail to an address to which so many with unused codes were sent."""
    return 0 if mailed < MAX_MAILED else min(CODE_LIFE << (mailed - MAX_MAILED), MAX_PAUSE)


def spaced(code: str) -> str:
    """A code for display: 7KQM 2PXA."""
    return f"{code[: CODE_LENGTH // 2]} {code[CODE_LENGTH // 2 :]}"


def is_right(key: SigningKey, challenge: Challenge, typed: str, now: Instant) -> bool:
    """Whether this is the code of a sent e-mail that is still valid.

    Case, spaces and hyphens do not matter, and look-alikes are replaced.
    """
    read = re.sub(r"[\s-]", "", typed).upper().translate(_LOOK_ALIKES)
    # Only the newest key: a code lives for minutes, and every further key would be another value that a guess may hit.
    same = hmac.compare_digest(code_of(key, challenge.id).encode(), read.encode())
    return same and _is_live(challenge, now)


def link_token(key: SigningKey, challenge_id: ChallengeId) -> str:
    """The token of an e-mail's link; derived like the code, with 192 bits."""
    digest = key.digest(b"sign-in link\x00" + challenge_id.encode())
    return f"{challenge_id}.{urlsafe_b64encode(digest[:24]).decode()}"


def challenge_of_link(key: SigningKey, token: str) -> ChallengeId | None:
    """The challenge that a link's token names; None if it is forged."""
    challenge_id = ChallengeId(token.partition(".")[0])
    made = link_token(key, challenge_id)
    return challenge_id if hmac.compare_digest(made.encode(), token.encode(errors="replace")) else None


def _is_live(challenge: Challenge, now: Instant) -> bool:
    return challenge.is_mailed and challenge.used_at is None and now < challenge.expires_at


def hash_token(token: str) -> bytes:
    """The stored hash. Tokens carry 256 random bits, so a plain hash cannot be reversed by trying."""
    return hashlib.sha256(token.encode()).digest()
