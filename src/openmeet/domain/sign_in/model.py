"""Challenges and sessions: values, and rules for e-mail addresses, codes and tokens. Pure."""

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from groundwork.errors import InvalidForm, Reason
from groundwork.mail.address import parse_address
from groundwork.signing_key import SigningKey
from groundwork.token_hash import hash_token
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import SOURCE

ChallengeId = NewType("ChallengeId", str)

# No characters that look alike (0 and O, 1, I and L), no letters mistaken for digits (B, S, Z), and no U, which is
# mistaken for V.
CODE_ALPHABET = "23456789ACDEFGHJKMNPQRTVWXY"
CODE_LENGTH = 8
CODE_LIFE = 30 * MINUTE
# Wrong tries per request.
CODE_TRIES = 5
# Wrong tries per e-mail address and day, from all clients and requests: 20 among 280,000,000,000 codes.
CODE_TRIES_A_DAY = 20
# Maximum e-mails with unused codes to one address without a pause. After that, each e-mail waits for a pause, which
# doubles every time. Until then the last code works, so that filling somebody's mailbox does not lock them out. At most
# 17 e-mails a day.
MAX_MAILED = 4
MAX_PAUSE = 2 * HOUR
# For how long e-mails with unused codes are counted.
MAILED_WITHIN = DAY

SESSION_LIFE = 60 * DAY
# Shorter, because API tokens end up in scripts and shell histories.
API_SESSION_LIFE = 30 * DAY

CODE_MAIL = "sign_in_code"


class SignInReason(Reason):
    """Why a sign-in or a code is refused. The messages are in ``i18n/reasons/accounts.py``."""

    EMAIL_NEEDED = "sign_in.email_needed"
    EMAIL_OR_HANDLE_NEEDED = "sign_in.email_or_handle_needed"
    MALFORMED_EMAIL = "sign_in.malformed_email"
    CODES_USED_UP = "sign_in.codes_used_up"
    CODES_USED_UP_OPEN_LINK = "sign_in.codes_used_up_open_link"
    WRONG_CODE = "sign_in.wrong_code"
    CODE_OVER = "sign_in.code_over"
    CODE_OR_PASSWORD_NEEDED = "sign_in.code_or_password_needed"  # noqa: S105 - a code, not a password
    NO_PASSWORD_SIGN_IN = "sign_in.no_password_sign_in"  # noqa: S105 - a code, not a password
    NO_NETWORK_SIGN_IN = "sign_in.no_network_sign_in"
    NO_SUCH_DOCUMENT = "sign_in.no_such_document"
    HANDLE_NEEDED = "sign_in.handle_needed"
    PASSWORD_NEEDED = "sign_in.password_needed"  # noqa: S105 - a code, not a password
    TRY_AGAIN_LATER = "sign_in.try_again_later"
    SERVER_REFUSES_US = "sign_in.server_refuses_us"
    BEGIN_AGAIN_LATER = "sign_in.begin_again_later"


class SessionTransport(StrEnum):
    """How a session's token is sent: in a cookie or in the Authorization header. A token for one is never accepted for
    the other.
    """

    BROWSER = "browser"
    API = "api"


class SessionStrength(StrEnum):
    """The strength of a session's sign-in as a proof of identity.

    ``FULL``: they entered a code or a password at that moment. ``APP_PASSWORD``: a program may have signed in.
    ``SILENT``: their account server was not required to prompt, so this may be anybody who uses a browser that is
    signed in to the account server.
    """

    FULL = "full"
    APP_PASSWORD = "app_password"  # noqa: S105 - the name of a kind
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Challenge:
    """A requested code.

    ``display_name``: the name that a new user has chosen; empty if none yet. ``browser_hash``: the requesting browser;
    None for programs. ``is_mailed``: whether an e-mail was sent for it. ``language``: of the page or program that made
    the request.
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

    def is_from_browser(self, browser: str) -> bool:
        """Whether the browser with this secret made the request."""
        return bool(browser) and self.browser_hash == hash_token(browser)


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session token. It is shown once, and only its hash is stored.

    ``keeps_account``: the user had requested the deletion of their account, and signing in cancelled it.
    """

    token: str
    user_id: UserId
    expires_at: Instant
    keeps_account: bool = False


# Replacements for characters that occur in no code but that people type.
_LOOK_ALIKES = str.maketrans("BSZU", "852V")


def check_email(text: str) -> str:
    """Return the address in canonical form: lower case, ASCII. Raises InvalidForm (``email``).

    Checked with the mailer's own parser, so that no job is made for an address that cannot be sent to. Whether the
    mailbox exists shows only when the e-mail is sent.
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
    """The code of a challenge, derived from the server's key and never stored (invariant 8)."""
    digest = key.digest(b"sign-in code\x00" + challenge_id.encode())
    # 128 bits reduced to 27^8: the bias is negligible.
    number = int.from_bytes(digest[:16])
    code = ""
    for _ in range(CODE_LENGTH):
        number, place = divmod(number, len(CODE_ALPHABET))
        code += CODE_ALPHABET[place]
    return code


def pause_after(mailed: int) -> int:
    """Microseconds until the next e-mail to an address that was sent this many e-mails with unused codes."""
    return 0 if mailed < MAX_MAILED else min(CODE_LIFE << (mailed - MAX_MAILED), MAX_PAUSE)


def spaced(code: str) -> str:
    """A code for display: 7KQM 2PXA."""
    return f"{code[: CODE_LENGTH // 2]} {code[CODE_LENGTH // 2 :]}"


def is_right(key: SigningKey, challenge: Challenge, typed: str, now: Instant) -> bool:
    """Whether this is the code of a challenge that was mailed and is still valid.

    Case, spaces and hyphens do not matter, and look-alike characters are replaced.
    """
    code = re.sub(r"[\s-]", "", typed).upper().translate(_LOOK_ALIKES)
    # Only the newest key counts: a code is valid only for minutes, and each further key would make one more guess
    # right.
    same = hmac.compare_digest(code_of(key, challenge.id).encode(), code.encode())
    return same and _is_live(challenge, now)


def link_token(key: SigningKey, challenge_id: ChallengeId) -> str:
    """The token of an e-mail's link. Derived like the code, with 192 bits."""
    digest = key.digest(b"sign-in link\x00" + challenge_id.encode())
    return f"{challenge_id}.{urlsafe_b64encode(digest[:24]).decode()}"


def challenge_of_link(key: SigningKey, token: str) -> ChallengeId | None:
    """The challenge that a link's token belongs to. None if the token is forged."""
    challenge_id = ChallengeId(token.partition(".")[0])
    made = link_token(key, challenge_id)
    return challenge_id if hmac.compare_digest(made.encode(), token.encode(errors="replace")) else None


def _is_live(challenge: Challenge, now: Instant) -> bool:
    return challenge.is_mailed and challenge.used_at is None and now < challenge.expires_at
