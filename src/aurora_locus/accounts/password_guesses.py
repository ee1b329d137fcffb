"""Counters of wrong passwords per account, shared by all identifiers of the account. Other people cannot use them to
lock the owner out.

A guess is counted before the password is checked, and refunded if it was right, so parallel guesses gain nothing over
sequential ones. Each device and address from which the owner signed in before has a counter of its own, and so has each
e-mailed sign-in link; all other clients share one. The counters are in the database, because several processes share
them and a restart must not grant new guesses. App passwords are random and cannot be guessed, so the right one is
always accepted.
"""

from dataclasses import dataclass

from aurora_locus.accounts import queries, sessions
from aurora_locus.accounts.limits import WRONG_PASSWORDS, effective_limit, key_of_identifier, widen
from aurora_locus.accounts.model import GuessContext
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.sessions import ProvenAccount
from aurora_locus.accounts.sign_in_links import SignInLink
from aurora_locus.accounts.sign_in_source import SignInSource
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.repository.model import OF_THE_HOST
from groundwork.clock import DAY, SECOND, Instant
from groundwork.database.transaction import Reader, Writer
from groundwork.errors import NotSignedIn
from groundwork.rate_limit.contract import Limit, LimitState, RateLimited

# The source of every client that is not known.
ANYWHERE = b""

KNOWN_FOR = 180 * DAY
# Enough for a home, an office, a phone and a few more. The source that was unused for the longest time is deleted
# first.
MAX_KNOWN = 20
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
_FIND = "select used, resets_at from password_guesses where subject = :subject and source_hash = :source_hash and resets_at > :now"
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
_FORGET_GUESSES = "delete from password_guesses where subject = :subject"
_FORGET_SOURCES = "delete from known_sources where subject = :subject"
_SWEEP_GUESSES = "delete from password_guesses where resets_at <= :now"
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
    async with registry.db.reader() as reader:
        account = await queries.find_by_identifier(reader, identifier)
    if account is None or account.is_deleted:
        return await _refuse_unknown(registry, identifier, password)
    with_link = link is not None and link.did == account.did
    try:
        guess = await take(
            registry.guess_context,
            account.did,
            source,
            WRONG_PASSWORDS,
            source_hash=link.token_hash if link and with_link else None,
        )
    except GuessesUsedUp:
        proof = await sessions.verify_app_password(registry.db, registry.passwords, account, password)
        if proof is None:
            raise
        return proof
    proof = await sessions.verify_password(registry.db, registry.passwords, account, password)
    await give_back(registry.guess_context, guess)
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


async def take(
    guess_context: GuessContext, subject: str, source: SignInSource, limit: Limit, *, source_hash: bytes | None = None
) -> Guess:
    """Count a guess before it is checked. It counts for ``source_hash`` if given, otherwise for the known source,
    otherwise in the shared counter.

    Raises GuessesUsedUp if none is left.
    """
    limit = _effective_limits(guess_context, limit)
    ends_in = limit.window_seconds * SECOND

    def work(w: Writer) -> tuple[bytes, bool]:
        at = source_hash or next(
            (one for one in source.hashes(guess_context.key) if _is_known(w, subject, one)), ANYWHERE
        )
        row = w.fetch_one(
            _TAKE, subject=subject, source_hash=at, ends_at=w.now + ends_in, now=w.now, points=limit.points
        )
        return at, row is not None

    at, is_taken = await guess_context.db.write(work)
    if not is_taken:
        async with guess_context.db.reader() as reader:
            raise guesses_used_up(limit, await _read_window(reader, subject, at), reader.now)
    return Guess(subject, at)


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


def forget(w: Writer, subject: str) -> None:
    """Reset the counters and known sources. Called after a new password, and when the account is deleted."""
    w.execute(_FORGET_GUESSES, subject=subject)
    w.execute(_FORGET_SOURCES, subject=subject)


def sweep(w: Writer) -> int:
    """Delete expired counters, and sources that were not used for a long time. Return the number of counters."""
    w.execute(_SWEEP_SOURCES, after=w.now - KNOWN_FOR)
    return w.execute(_SWEEP_GUESSES, now=w.now)


def guesses_used_up(limit: Limit, window: tuple[int, Instant] | None, now: Instant) -> GuessesUsedUp:
    """Return the error for used-up guesses. ``window`` holds the number of guesses made and when the window ends."""
    resets_at = now if window is None else window[1]
    return GuessesUsedUp(LimitState(limit, 0, resets_at, is_refused=True), max(0, resets_at - now) / SECOND)


async def _refuse_unknown(registry: Registry, identifier: str, password: str) -> ProvenAccount:
    """Raise the same errors as for an account with a wrong password, after the same number of guesses. Guesses for
    unknown names are counted in bounded memory.
    """
    limit, now = effective_limit(registry, WRONG_PASSWORDS), registry.clock.now()
    state = await registry.counters.add(limit, key_of_identifier(identifier), 1, now)
    if state.is_refused:
        # This takes as long as checking an account's app passwords.
        await sessions.verify_app_password(registry.db, registry.passwords, None, password)
        raise guesses_used_up(limit, (limit.points, state.resets_at), now)
    return await sessions.verify_password(registry.db, registry.passwords, None, password)


async def _read_window(reader: Reader, subject: str, source_hash: bytes) -> tuple[int, Instant] | None:
    row = await reader.fetch_one(_FIND, subject=subject, source_hash=source_hash, now=reader.now)
    return None if row is None else (row["used"], Instant(row["resets_at"]))


def _effective_limits(guess_context: GuessContext, limit: Limit) -> Limit:
    return widen(limit) if guess_context.is_wide else limit


def _is_known(w: Writer, subject: str, source_hash: bytes) -> bool:
    return w.fetch_one(_KNOWN, subject=subject, source_hash=source_hash, after=w.now - KNOWN_FOR) is not None
