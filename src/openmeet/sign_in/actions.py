"""Asking for a code, answering it, opening and closing sessions."""

import secrets
from dataclasses import dataclass

from groundwork.clock import HOUR, SECOND, Instant
from groundwork.database.transaction import Transaction
from groundwork.errors import InvalidForm, TooMany
from groundwork.fresh_id import new_id
from groundwork.signing_key import SigningKey
from openmeet.debts import left_alone
from openmeet.debts.deliveries import owe_mail
from openmeet.sign_in import queries, rules
from openmeet.sign_in.model import (
    API_SESSION_LIFE,
    CODE_LIFE,
    CODE_MAIL,
    CODE_TRIES,
    CODES_PER_HOUR,
    SESSION_LIFE,
    Challenge,
    ChallengeId,
    Session,
    SessionKind,
)
from openmeet.users import actions as users
from openmeet.users.model import UserId
from openmeet.users.queries import by_email

WRONG_CODE = "That is not the code, or it does not work any more."


@dataclass(frozen=True, slots=True)
class Answered:
    """The outcome of a code. ``session`` is None when it was wrong: the try is used up all the same."""

    session: Session | None
    is_new: bool = False
    next_path: str = "/"
    tries_left: int = 0


async def ask_for_code(tx: Transaction, email: str, *, display_name: str = "", next_path: str = "/") -> Challenge:
    """Owe a code to an address that ``rules.check_email`` accepted. Known and unknown addresses are treated alike.

    Raises TooMany when this address had its codes for the hour.
    """
    asked = await queries.challenges_since(tx, email, Instant(tx.now - HOUR))
    if len(asked) >= CODES_PER_HOUR:
        raise TooMany(
            "Several codes were sent to this address already. Use the newest, or try again later.",
            after_seconds=(asked[0] + HOUR - tx.now) / SECOND,
        )
    challenge = Challenge(
        ChallengeId(new_id(tx.now)),
        email,
        display_name,
        CODE_TRIES,
        next_path,
        tx.now,
        Instant(tx.now + CODE_LIFE),
        None,
    )
    await queries.insert_challenge(tx, challenge)
    await owe_mail(tx, kind=CODE_MAIL, person=email, subject_id=challenge.id)
    return challenge


async def answer_code(
    tx: Transaction,
    key: SigningKey,
    challenge_id: ChallengeId,
    typed: str,
    kind: SessionKind,
    *,
    time_zone: str | None = None,
) -> Answered:
    """Open a session when the code is right; a newcomer becomes a person at this moment, in this time zone.

    A wrong code is an outcome, not a failure, so that the transaction which counts the try is committed.
    """
    challenge = await queries.challenge(tx, challenge_id)
    tried = await queries.take_try(tx, challenge_id)
    if challenge is None or tried is None:
        return Answered(None)
    if not rules.is_right(key, challenge, typed, tx.now):
        return Answered(None, tries_left=tried.attempts_left, next_path=challenge.next_path)
    await queries.use_challenge(tx, challenge_id)
    user = await by_email(tx, challenge.email)
    if user is None:
        user_id = await users.create_person(
            tx, display_name=challenge.display_name, email=challenge.email, time_zone=time_zone
        )
        # Who has come here by themselves is no stranger to it any more.
        await left_alone.write_again(tx, left_alone.hash_of(challenge.email))
    else:
        user_id = user.id
    session = await open_session(tx, user_id, kind)
    is_unnamed = not challenge.display_name if user is None else not user.display_name
    return Answered(session, is_new=is_unnamed, next_path=challenge.next_path)


async def prove_address(
    tx: Transaction, key: SigningKey, challenge_id: ChallengeId, typed: str
) -> tuple[str, Answered]:
    """The address whose code this is, used up without opening a session; empty when the code was wrong, which is counted."""
    challenge = await queries.challenge(tx, challenge_id)
    tried = await queries.take_try(tx, challenge_id)
    if challenge is None or tried is None:
        return "", Answered(None)
    if not rules.is_right(key, challenge, typed, tx.now):
        return "", Answered(None, tries_left=tried.attempts_left)
    await queries.use_challenge(tx, challenge_id)
    return challenge.email, Answered(None)


async def open_session(tx: Transaction, user_id: UserId, kind: SessionKind) -> Session:
    """A fresh token for somebody who has proven who they are."""
    token = secrets.token_urlsafe(32)
    life = SESSION_LIFE if kind is SessionKind.BROWSER else API_SESSION_LIFE
    expires_at = Instant(tx.now + life)
    await queries.insert_session(tx, rules.hash_token(token), user_id, kind, expires_at)
    return Session(token, user_id, expires_at)


async def close_sessions_of(tx: Transaction, user_id: UserId) -> int:
    """Everybody who is signed in as this person, in browsers and programs, is not any more; how many."""
    return await queries.drop_sessions_of(tx, user_id)


async def close_session(tx: Transaction, token: str) -> None:
    """The token stops working at once."""
    await queries.drop_session(tx, rules.hash_token(token))


def wrong_code(answered: Answered) -> InvalidForm:
    """The failure to show for a wrong code."""
    left = answered.tries_left
    more = f" You have {left} {'try' if left == 1 else 'tries'} left." if left else " Ask for a new one."
    return InvalidForm({"code": WRONG_CODE + more})
