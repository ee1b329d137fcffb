"""Sign-in: request a code, verify a code or link, open and close sessions, change the e-mail address."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from groundwork.clock import DAY, HOUR, Instant
from groundwork.database.pages import change_in_pages
from groundwork.database.row_lock import take_turn
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import InvalidForm
from groundwork.outbox.jobs import Priority
from groundwork.signing_key import SigningKey
from groundwork.token_hash import hash_token
from groundwork.uuid7 import new_id
from openmeet.domain.notifications import email_links
from openmeet.domain.sign_in import model, queries
from openmeet.domain.sign_in.model import (
    API_SESSION_LIFE,
    CODE_LIFE,
    CODE_MAIL,
    CODE_TRIES,
    CODE_TRIES_A_DAY,
    MAILED_WITHIN,
    SESSION_LIFE,
    Challenge,
    ChallengeId,
    OpenedSession,
    SessionStrength,
    SessionTransport,
    SignInReason,
    pause_after,
)
from openmeet.domain.users import actions as user_actions
from openmeet.domain.users import erasure_requests
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import UserId
from openmeet.domain.users.queries import by_email
from openmeet.i18n.catalogue import current
from openmeet.outbox import email_suppressions
from openmeet.outbox.emails import enqueue_email

EMAIL_CHANGED_MAIL: Final = "email_changed"


@dataclass(frozen=True, slots=True)
class CodeResult:
    """The result of entering a code. ``session`` is None if the code was wrong; the try counts anyway.

    ``is_used_up``: too many wrong codes were entered for this address today.
    """

    session: OpenedSession | None
    is_new: bool = False
    next_path: str = "/"
    tries_left: int = 0
    is_used_up: bool = False


async def ask_for_code(
    tx: Transaction, email: str, *, display_name: str = "", next_path: str = "/", browser: str = ""
) -> Challenge:
    """Enqueue a code for an address that passed ``model.check_email``. Known and unknown addresses are treated alike.

    ``browser``: the secret of the requesting browser, which may open the link; empty for programs. After several
    e-mails with unused codes, no e-mail is sent for a while (``model.pause_after``). Until then, the last code works.
    """
    is_mailed, life = await _next_email(tx, email)
    challenge = Challenge(
        ChallengeId(new_id(tx.now)),
        email,
        display_name,
        CODE_TRIES,
        next_path,
        tx.now,
        Instant(tx.now + life),
        None,
        hash_token(browser) if browser else None,
        is_mailed,
        current().tag,
    )
    await queries.insert_challenge(tx, challenge)
    if challenge.is_mailed:
        await enqueue_email(tx, kind=CODE_MAIL, person=email, subject_id=challenge.id, priority=Priority.FIRST)
    return challenge


async def _next_email(tx: Transaction, email: str) -> tuple[bool, int]:
    """Whether a request sends an e-mail now, and how long its code is valid, in microseconds."""
    # Concurrent requests would all find that no e-mail was sent. Only one of them sends it.
    if not await take_turn(tx, f"sign-in code {email}"):
        return False, CODE_LIFE
    unused = await queries.unused_mailed(tx, email, Instant(tx.now - MAILED_WITHIN))
    if tx.now < _pauses_until(unused):
        return False, CODE_LIFE
    return True, max(CODE_LIFE, pause_after(len(unused) + 1))


async def next_email_at(reader: Reader, email: str) -> Instant:
    """From when on a request sends an e-mail to this address again. Not later than now if it does so already."""
    return _pauses_until(await queries.unused_mailed(reader, email, Instant(reader.now - MAILED_WITHIN)))


def _pauses_until(unused: Sequence[Challenge]) -> Instant:
    """The end of the pause after these e-mails, newest first. It ends early if none of their codes is valid any more."""
    if not unused:
        return Instant(0)
    return Instant(min(unused[0].created_at + pause_after(len(unused)), max(one.expires_at for one in unused)))


async def answer_code(
    tx: Transaction,
    key: SigningKey,
    challenge_id: ChallengeId,
    typed: str,
    kind: SessionTransport,
    *,
    time_zone: str | None = None,
) -> CodeResult:
    """Open a session if the code is right. A new user is created at this point, with this time zone.

    A wrong code is a result, not an exception, so that the transaction that counts the try is committed.
    """
    challenge, wrong = await _take_code(tx, key, challenge_id, typed)
    if challenge is None:
        return wrong
    return await _complete_sign_in(tx, key, challenge, kind, time_zone)


async def follow_link(
    tx: Transaction, key: SigningKey, token: str, browser: str, *, time_zone: str | None = None
) -> CodeResult:
    """Open a session with the link of an e-mail, in a browser that requested a code for this address. Tries are not
    limited.

    ``session`` of the result is None in another browser, and for a used or expired link.
    """
    challenges = await link_and_request(tx, key, token, browser)
    if challenges is None:
        return CodeResult(None)
    mailed, requested = challenges
    if not await _use_challenges(tx, mailed, requested):
        return CodeResult(None)
    return await _complete_sign_in(tx, key, requested, SessionTransport.BROWSER, time_zone)


async def link_and_request(
    reader: Reader, key: SigningKey, token: str, browser: str
) -> tuple[Challenge, Challenge] | None:
    """The challenge that a valid link was sent for, and this browser's own request. None if either is missing."""
    mailed = await find_link(reader, key, token)
    if mailed is None or not browser:
        return None
    requested = await queries.latest_request_of(reader, mailed.email, hash_token(browser))
    return None if requested is None else (mailed, requested)


async def find_link(reader: Reader, key: SigningKey, token: str) -> Challenge | None:
    """The challenge that a valid link was sent for, whatever the browser."""
    challenge_id = model.challenge_of_link(key, token)
    mailed = None if challenge_id is None else await queries.challenge(reader, challenge_id)
    if mailed is None or mailed.used_at is not None or mailed.expires_at <= reader.now:
        return None
    return mailed


async def _complete_sign_in(
    tx: Transaction, key: SigningKey, challenge: Challenge, kind: SessionTransport, time_zone: str | None
) -> CodeResult:
    user = await by_email(tx, challenge.email)
    if user is None:
        user_id = await user_actions.create_person(
            tx, display_name=challenge.display_name, email=challenge.email, time_zone=time_zone
        )
        # By signing up, people accept e-mail at this address again.
        await email_suppressions.opt_in(tx, key, challenge.email)
    else:
        user_id = user.id
    session = await open_session(tx, user_id, kind)
    is_unnamed = not challenge.display_name if user is None else not user.display_name
    return CodeResult(session, is_new=is_unnamed, next_path=challenge.next_path)


async def prove_address(
    tx: Transaction, key: SigningKey, challenge_id: ChallengeId, typed: str
) -> tuple[str, CodeResult]:
    """Return the address that a code proves, and use up the code without opening a session. Empty for a wrong code,
    which is counted.
    """
    challenge, wrong = await _take_code(tx, key, challenge_id, typed)
    return ("", wrong) if challenge is None else (challenge.email, CodeResult(None))


async def _take_code(
    tx: Transaction, key: SigningKey, challenge_id: ChallengeId, typed: str
) -> tuple[Challenge | None, CodeResult]:
    """Use up a code and return its challenge. If the code is wrong, which is counted, return None and the result.

    A code from any e-mail to the same address is accepted, because not every request sends a new one.
    """
    challenge = await queries.challenge(tx, challenge_id)
    tried = await queries.take_try(tx, challenge_id)
    if challenge is None or tried is None:
        return None, CodeResult(None)
    # The hash is keyed, so that the counts in a stolen database do not reveal who tried to sign in.
    address = key.digest(b"code guesses\x00" + challenge.email.encode()).hex()
    wrong = CodeResult(None, tries_left=tried.attempts_left, next_path=challenge.next_path)
    if not await queries.take_guess(tx, address, Instant(tx.now + DAY), CODE_TRIES_A_DAY):
        return None, replace(wrong, is_used_up=True)
    mailed = await queries.live_mailed(tx, challenge.email)
    right = next((one for one in mailed if model.is_right(key, one, typed, tx.now)), None)
    if right is None or not await _use_challenges(tx, right, challenge):
        return None, wrong
    await queries.give_guess_back(tx, address)
    return challenge, wrong


async def _use_challenges(tx: Transaction, mailed: Challenge, requested: Challenge) -> bool:
    """Use up the challenge of an e-mail and the browser's request, which may be the same. False if a concurrent request
    was faster.
    """
    if not await queries.use_challenge(tx, mailed.id):
        return False
    return requested.id == mailed.id or await queries.use_challenge(tx, requested.id)


async def open_session(
    tx: Transaction, user_id: UserId, kind: SessionTransport, *, strength: SessionStrength = SessionStrength.FULL
) -> OpenedSession:
    """Open a session for an authenticated user. If they had requested the deletion of their account, it is cancelled.

    ``strength``: what the session proves for decisions that the person must make themselves. Raises Refused
    (``BeingDeleted``) if the deletion has begun.
    """
    keeps_account = await erasure_requests.cancel(tx, user_id)
    token = secrets.token_urlsafe(32)
    life = SESSION_LIFE if kind is SessionTransport.BROWSER else API_SESSION_LIFE
    expires_at = Instant(tx.now + life)
    await queries.insert_session(tx, hash_token(token), user_id, kind, expires_at, strength)
    return OpenedSession(token, user_id, expires_at, keeps_account)


async def close_sessions_of(tx: Transaction, user_id: UserId) -> int:
    """Close all sessions of this user, in browsers and programs. Returns their number."""
    return await queries.drop_sessions_of(tx, user_id)


async def close_session(tx: Transaction, token: str) -> None:
    """Close a session. Its token stops working at once."""
    await queries.drop_session(tx, hash_token(token))


async def close_named(tx: Transaction, user_id: UserId, name: str) -> bytes | None:
    """Close the session with this name in the person's list of sessions. Returns the hash of its token, or None if it
    is no longer open.
    """
    session = next((one for one in await queries.open_of(tx, user_id) if one.name == name), None)
    if session is None:
        return None
    await queries.drop_session(tx, session.token_hash)
    return session.token_hash


def wrong_code(result: CodeResult, *, has_link: bool = False) -> InvalidForm:
    """The error for a wrong code. ``has_link``: the e-mail has a link for this browser."""
    if result.is_used_up:
        return InvalidForm({"code": SignInReason.CODES_USED_UP_OPEN_LINK if has_link else SignInReason.CODES_USED_UP})
    tries_left = result.tries_left
    return InvalidForm({"code": SignInReason.WRONG_CODE(left=tries_left) if tries_left else SignInReason.CODE_OVER})


async def forget_expired(db: Database) -> int:
    """Delete expired sessions and challenges."""
    return await change_in_pages(db, lambda tx: queries.drop_expired(tx, Instant(tx.now - HOUR)))


async def change_email(tx: Transaction, key: SigningKey, user_id: UserId, email: str) -> bool:
    """Replace a person's address with one that they have proved and that belongs to nobody
    (``account_merge.actions.prove_email``). The former address gets an e-mail about it, and links in earlier e-mails end.
    False if they had no address.
    """
    former = await user_queries.replace_email(tx, user_id, email)
    if former is None:
        return False
    # They work without signing in, and somebody else may read the former mailbox.
    await email_links.revoke_all(tx, user_id)
    # Like signing up, this accepts e-mail at the new address.
    await email_suppressions.opt_in(tx, key, email)
    # A person can return to an address and leave it again. Each change is another e-mail.
    await enqueue_email(tx, kind=EMAIL_CHANGED_MAIL, person=former, subject_id=f"{user_id}.{tx.now}")
    return True


def user_of_change(subject_id: str) -> UserId:
    """The user that an ``EMAIL_CHANGED_MAIL`` is about."""
    return UserId(subject_id.partition(".")[0])
