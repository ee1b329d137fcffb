"""Counters of wrong passwords per account. Other people cannot use them to lock the owner out.

Handle and DID, which everybody knows, share a counter. The e-mail address has another one; otherwise anybody could use
up the guesses for a handle, and then see which address has none left either.

A guess is counted before the password is checked, and refunded if it was right, so parallel guesses gain nothing over
sequential ones. Each device and address from which the owner signed in before has a counter of its own, and so has each
e-mailed sign-in link; all other clients share one. The counters are in the database, because several processes share
them and a restart must not grant new guesses. App passwords are random and cannot be guessed, so the right one is
always accepted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import digest

from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries, sessions
from aurora_locus.accounts.limits import WRONG_PASSWORDS, key_of_identifier, widen
from aurora_locus.accounts.model import GuessContext
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.sessions import ProvenAccount
from aurora_locus.accounts.sign_in_links import SignInLink
from aurora_locus.accounts.sign_in_source import SignInSource
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.repository.model import OF_THE_HOST
from groundwork.clock import DAY, SECOND, Instant
from groundwork.database.transaction import Reader, Row, Writer
from groundwork.errors import NotSignedIn
from groundwork.rate_limit.contract import Limit, LimitState, RateLimited

# The source of every client that is not known.
ANYWHERE = b""

KNOWN_FOR = 180 * DAY
# Enough for a home, an office, a phone and a few more. The source that was unused for the longest time is deleted
# first.
MAX_KNOWN = 20
# Counters of names without an account, which anybody can invent. One takes about 200 bytes. If there are more, those
# that end first are deleted, as the next sweep does; each guess costs a password hash, so it takes hours to get there.
MAX_UNKNOWN = 250_000
# The use of a source is recorded at most this often.
_NOTED = DAY

_TAKE = """
    insert into password_guesses (subject, source_hash, used, resets_at) values (:subject, :source_hash, 1, :ends_at)
    on conflict (subject, source_hash) do update
       set used = case when password_guesses.resets_at <= :now then 1 else password_guesses.used + 1 end,
           resets_at = case when password_guesses.resets_at <= :now then excluded.resets_at
               else password_guesses.resets_at end
     where password_guesses.resets_at <= :now or password_guesses.used < :points
    returning used
"""
_GIVE_BACK = (
    "update password_guesses set used = used - 1 where subject = :subject and source_hash = :source_hash and used > 0"
)
_FIND = (
    "select used, resets_at from password_guesses where subject = :subject and source_hash = :source_hash "
    "and resets_at > :now"
)
_KNOWN = (
    "select seen_at from known_sources where subject = :subject and source_hash = :source_hash and seen_at > :after"
)
_NOTE = """
    insert into known_sources (subject, source_hash, seen_at) values (:subject, :source_hash, :now)
    on conflict (subject, source_hash) do update set seen_at = excluded.seen_at
"""
_FORGET_OLDEST = """
    delete from known_sources where subject = :subject and source_hash not in
       (select source_hash from known_sources where subject = :subject order by seen_at desc, source_hash limit :kept)
"""
_FORGET_GUESSES = "delete from password_guesses where subject in (:did, :by_email)"
_FORGET_SOURCES = "delete from known_sources where subject = :did"
_SWEEP_GUESSES = "delete from password_guesses where resets_at <= :now"
_FIRST_TOO_MANY = (
    "select resets_at from password_guesses where subject like 'unknown:%' order by resets_at desc limit 1 offset :kept"
)
_SWEEP_UNKNOWN = "delete from password_guesses where subject like 'unknown:%' and resets_at <= :until"
_SWEEP_SOURCES = "delete from known_sources where seen_at <= :after"


class GuessesUsedUp(RateLimited):
    """Too many wrong passwords. ``why`` tells the owner how to sign in nevertheless."""

    def __init__(self, state: LimitState, after_seconds: float) -> None:
        super().__init__(state, after_seconds)
        self.why = gettext_noop(
            "Too many wrong passwords for this account. You can still sign in where you did before. Elsewhere, use an app "
            "password, or let this server’s sign-in page e-mail you a link."
        )


@dataclass(frozen=True, slots=True)
class Guess:
    """One counted guess. ``source_hash`` is the source whose counter it used."""

    subject: str
    source_hash: bytes


async def verify_password(
    registry: Registry, identifier: str, password: str, source: SignInSource, *, link: SignInLink | None = None
) -> ProvenAccount:
    """Return the account for an identifier and a password, even if the host has taken it down. ``link`` is an e-mailed
    sign-in link.

    Raises NotSignedIn, with the same message for an unknown identifier and a wrong password, and GuessesUsedUp.
    """
    guess_context = registry.guess_context
    async with registry.db.reader() as reader:
        account = await queries.find_by_identifier(reader, identifier)
        # The same statements run for an unknown identifier, so that it takes as long.
        if account is None or account.is_deleted:
            account = None
            owner = subject = subject_of_unknown(guess_context, identifier)
        else:
            owner = account.did
            subject = _email_subject(account.did) if queries.is_email(identifier) else account.did
        if account is not None and link is not None and link.did == account.did:
            source_hash = link.token_hash
        else:
            source_hash = await known_source(reader, guess_context, owner, source)
    try:
        guess = await take(guess_context, subject, source_hash, WRONG_PASSWORDS)
    except GuessesUsedUp:
        proof = await sessions.verify_app_password(registry.db, registry.passwords, account, password)
        if proof is None:
            raise
        return proof
    proof = await sessions.verify_password(registry.db, registry.passwords, account, password)
    await give_back(guess_context, guess)
    return proof


async def authenticate(
    registry: Registry,
    identifier: str,
    password: str,
    source: SignInSource,
    *,
    allow_takendown: bool = False,
    link: SignInLink | None = None,
) -> ProvenAccount:
    """Verify the password as ``verify_password`` does, and then refuse taken-down accounts with NotSignedIn
    (``AccountTakedown``). With ``allow_takendown`` they may sign in with the account's own password, to export their
    data and leave.
    """
    proof = await verify_password(registry, identifier, password, source, link=link)
    may_leave = allow_takendown and proof.app_password is None
    if proof.account.status in OF_THE_HOST and not may_leave:
        raise NotSignedIn(gettext_noop("This account has been taken down."), name="AccountTakedown")
    return proof


async def take(guess_context: GuessContext, subject: str, source_hash: bytes, limit: Limit) -> Guess:
    """Count a guess at a password before it is checked, in the counter of this source (``known_source``, or a sign-in
    link).

    Raises GuessesUsedUp if none is left.
    """
    try:
        return await count(guess_context, subject, source_hash, limit)
    except RateLimited as used_up:
        raise GuessesUsedUp(used_up.state, used_up.after_seconds) from None


async def count(guess_context: GuessContext, subject: str, source_hash: bytes, limit: Limit) -> Guess:
    """Count a guess at any secret. Raises RateLimited."""
    await count_each(guess_context, source_hash, [(limit, subject)])
    return Guess(subject, source_hash)


async def count_each(guess_context: GuessContext, source_hash: bytes, charges: Sequence[tuple[Limit, str]]) -> None:
    """Count a guess at any secret against several limits, each with a subject of its own. If one of them is used up, none
    is charged. Raises RateLimited for the exceeded limit that resets last.
    """
    charges = [(_effective_limits(guess_context, limit), subject) for limit, subject in charges]

    def work(w: Writer) -> list[tuple[LimitState, float]]:
        charged: list[str] = []
        refused: list[tuple[LimitState, float]] = []
        for limit, subject in charges:
            ends_at = w.now + limit.window_seconds * SECOND
            row = w.fetch_one(
                _TAKE, subject=subject, source_hash=source_hash, ends_at=ends_at, now=w.now, points=limit.points
            )
            if row is not None:
                charged.append(subject)
            else:
                found = w.fetch_one(_FIND, subject=subject, source_hash=source_hash, now=w.now)
                refused.append(_used_up(limit, _window_of(found), w.now))
        for subject in charged if refused else ():
            w.execute(_GIVE_BACK, subject=subject, source_hash=source_hash)
        return refused

    if refused := await guess_context.db.write(work):
        raise RateLimited(*max(refused, key=lambda one: one[1]))


async def give_back(guess_context: GuessContext, guess: Guess) -> None:
    """Refund a guess whose password was right."""
    await guess_context.db.write(lambda w: w.execute(_GIVE_BACK, subject=guess.subject, source_hash=guess.source_hash))


async def require_left(
    reader: Reader, guess_context: GuessContext, subject: str, source_hash: bytes, limit: Limit
) -> None:
    """Raise GuessesUsedUp if even a right password would be refused."""
    limit = _effective_limits(guess_context, limit)
    window = await _read_window(reader, subject, source_hash)
    if window is not None and window[0] >= limit.points:
        raise guesses_used_up(limit, window, reader.now)


async def known_source(reader: Reader, guess_context: GuessContext, subject: str, source: SignInSource) -> bytes:
    """Return the hash of the device or address from which the owner signed in before; ``ANYWHERE`` if neither is known."""
    after = reader.now - KNOWN_FOR
    for source_hash in source.hashes(guess_context.key):
        if await reader.fetch_one(_KNOWN, subject=subject, source_hash=source_hash, after=after) is not None:
            return source_hash
    return ANYWHERE


async def is_noted(reader: Reader, guess_context: GuessContext, subject: str, source: SignInSource) -> bool:
    """Whether everything that ``note`` would write was recently written."""
    for source_hash in source.hashes(guess_context.key):
        if await reader.fetch_one(_KNOWN, subject=subject, source_hash=source_hash, after=reader.now - _NOTED) is None:
            return False
    return True


def note(w: Writer, guess_context: GuessContext, subject: str, source: SignInSource) -> None:
    """Record that somebody signed in from this source. From then on, wrong guesses from other sources do not count
    against it.
    """
    for source_hash in source.hashes(guess_context.key):
        if w.fetch_one(_KNOWN, subject=subject, source_hash=source_hash, after=w.now - _NOTED) is None:
            w.execute(_NOTE, subject=subject, source_hash=source_hash, now=w.now)
            w.execute(_FORGET_OLDEST, subject=subject, kept=MAX_KNOWN)


def forget(w: Writer, did: Did) -> None:
    """Reset the counters of the password, and the known sources. Called after a new password, and when the account is
    deleted.
    """
    w.execute(_FORGET_GUESSES, did=did, by_email=_email_subject(did))
    w.execute(_FORGET_SOURCES, did=did)


def sweep(w: Writer) -> int:
    """Delete expired counters, those of unknown names above ``MAX_UNKNOWN``, and sources that were not used for a long
    time. Return the number of counters.
    """
    w.execute(_SWEEP_SOURCES, after=w.now - KNOWN_FOR)
    expired = w.execute(_SWEEP_GUESSES, now=w.now)
    row = w.fetch_one(_FIRST_TOO_MANY, kept=MAX_UNKNOWN)
    return expired + (0 if row is None else w.execute(_SWEEP_UNKNOWN, until=row["resets_at"]))


def guesses_used_up(limit: Limit, window: tuple[int, Instant] | None, now: Instant) -> GuessesUsedUp:
    """Return the error for used-up guesses. ``window`` holds the number of guesses made and when the window ends."""
    return GuessesUsedUp(*_used_up(limit, window, now))


def _used_up(limit: Limit, window: tuple[int, Instant] | None, now: Instant) -> tuple[LimitState, float]:
    resets_at = now if window is None else window[1]
    return LimitState(limit, 0, resets_at, is_refused=True), max(0, resets_at - now) / SECOND


def _email_subject(did: Did) -> str:
    return f"email:{did}"


def subject_of_unknown(guess_context: GuessContext, identifier: str) -> str:
    """The subject of a name without an account. Each has one of its own, as accounts have: if names shared counters,
    guesses at other names would tell them from those with an account. Nothing that somebody typed is stored.
    """
    name = key_of_identifier(identifier).encode()
    return f"unknown:{digest(guess_context.key, b'name ' + name, sha256).hex()[:32]}"


async def _read_window(reader: Reader, subject: str, source_hash: bytes) -> tuple[int, Instant] | None:
    return _window_of(await reader.fetch_one(_FIND, subject=subject, source_hash=source_hash, now=reader.now))


def _window_of(row: Row | None) -> tuple[int, Instant] | None:
    """The number of guesses made in a window, and when it ends."""
    return None if row is None else (row["used"], Instant(row["resets_at"]))


def _effective_limits(guess_context: GuessContext, limit: Limit) -> Limit:
    return widen(limit) if guess_context.is_wide else limit
