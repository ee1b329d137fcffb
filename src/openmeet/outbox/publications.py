"""Publications: one row per record that belongs into a person's repository, with declared states.

Domain code calls ``enqueue`` in the transaction of the edit; pages read ``states``. What was sent, when and under which
key is in ``publication_leases``, what the network reports in ``publication_echoes``. Revisions decide what is still
due, never clocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.clock import MINUTE, SECOND, Instant
from groundwork.database.together import SqlWrite, execute_together
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.outbox.states import Graph, sql_literals
from groundwork.outbox.wakeup import wake_dispatchers
from groundwork.telemetry import tracing
from groundwork.telemetry.logs import request_id


class PublicationKind(StrEnum):
    """What the record is of: an event (subject: event id), an RSVP (attendance id), a series (series id) …"""

    EVENT = "event"
    RSVP = "rsvp"
    SERIES = "series"
    GROUP = "group"  # group id
    FORMER_GROUP = "former_group"  # the uri of a former record of a group: it says where the group went on
    FORMER_EVENT = "former_event"  # the uri of a former record of an event: it says where the event went on
    FORMER_SERIES = "former_series"  # the same of a series
    MEMBERSHIP = "membership"  # membership id: what the member says
    ACCEPTANCE = "acceptance"  # membership id: what the group says
    GROUP_EVENT = "group_event"  # event id: that it is the group's


# The content of a former record follows from its subject: a check of the subject checks its former records too.
FORMER_OF: Mapping[PublicationKind, PublicationKind] = {
    PublicationKind.EVENT: PublicationKind.FORMER_EVENT,
    PublicationKind.SERIES: PublicationKind.FORMER_SERIES,
}


class PublicationState(StrEnum):
    """State of a publication."""

    WITHHELD = "withheld"  # visibility, settings, consent, not connected
    WAITING = "waiting"  # its subject is not published yet, or an account of its person is not yet read
    DUE = "due"
    SENDING = "sending"  # leased
    PUBLISHED = "published"
    RETRYING = "retrying"
    BLOCKED = "blocked"  # needs a login
    REFUSED = "refused"  # invalid, too large; the reason is kept
    CONFLICTED = "conflicted"
    RETRACTING = "retracting"
    RETRACTED = "retracted"


# Shown instead of a state for a record that another app wrote.
IMPORTED: Final = "imported"

# Reasons: the flag of the kind is off; an account of the person has not been read yet; the owner's server was not
# asked, or refused; the record is published without its picture.
SWITCHED_OFF = "Publishing is switched off on this site."
BEING_READ = "What your accounts hold is being read first: one may have your answer already."
NOT_ALLOWED = "You have not allowed this at your server."
WITHOUT_PICTURE = "without its picture: "
_S = PublicationState

# Every move that may happen. A leased row may become anything a handler can find out; ``sending -> due`` is the end of
# a lease or a swap conflict, ``sending -> sending`` a new lease on a row whose lease ended. A row that never reached
# the PDS is withheld, not retracted. Messages of the network move rows too: an echo publishes, another's edit becomes
# the base, another's deletion leaves nothing to retract, also where an edit made here must not be sent.
GRAPH: Graph[PublicationState] = Graph(
    {
        _S.WITHHELD: frozenset({_S.DUE, _S.RETRACTED}),
        _S.WAITING: frozenset({_S.DUE, _S.SENDING, _S.WITHHELD, _S.PUBLISHED, _S.RETRACTED, _S.RETRACTING}),
        _S.DUE: frozenset({_S.DUE, _S.SENDING, _S.PUBLISHED, _S.RETRACTING, _S.WITHHELD, _S.RETRACTED}),
        _S.SENDING: frozenset(_S),
        _S.PUBLISHED: frozenset({_S.DUE, _S.PUBLISHED, _S.RETRACTING, _S.RETRACTED}),
        _S.RETRYING: frozenset({_S.DUE, _S.SENDING, _S.PUBLISHED, _S.RETRACTING, _S.WITHHELD, _S.RETRACTED}),
        _S.BLOCKED: frozenset({_S.DUE, _S.PUBLISHED, _S.RETRACTING, _S.WITHHELD, _S.RETRACTED}),
        _S.REFUSED: frozenset({_S.DUE, _S.WITHHELD, _S.PUBLISHED, _S.RETRACTING, _S.RETRACTED}),
        _S.CONFLICTED: frozenset({_S.DUE, _S.PUBLISHED, _S.RETRACTING, _S.RETRACTED}),
        _S.RETRACTING: frozenset({_S.DUE, _S.RETRACTING, _S.RETRACTED, _S.BLOCKED}),
        _S.RETRACTED: frozenset({_S.DUE}),
    }
)

# What a new revision does to a row: these become due at once; a leased one stays leased (its handler sees the newer
# revision when it settles); a blocked one waits for the login that it needs anyway.
DUE_ON_NEW_REVISION = (
    _S.WITHHELD,
    _S.WAITING,
    _S.DUE,
    _S.RETRYING,
    _S.PUBLISHED,
    _S.REFUSED,
    _S.CONFLICTED,
    _S.RETRACTED,
)


# Sent once the person has consented and has a repository. Any other withheld row stays here.
NOT_AGREED: Final = "You have not agreed to publishing."
SPEAKER_NOT_AGREED: Final = "Who speaks for the group has not agreed to publishing."
NO_REPOSITORY: Final = "You have no repository yet."
NO_REPOSITORY_OF_GROUP: Final = "There is no repository to write it to yet."
_NOT_YET: Final = frozenset({"", NOT_AGREED, SPEAKER_NOT_AGREED, NO_REPOSITORY, NO_REPOSITORY_OF_GROUP})
# The record is another app's, and nobody has changed it here.
ON_THE_NETWORK: Final = "on the network ✓"
# The record of an event made here was deleted elsewhere, and the host has not decided what follows.
DELETED_IN_ANOTHER_APP: Final = "Deleted in another app"


@dataclass(frozen=True, slots=True)
class PublicationStatus:
    """What a page shows about one record. ``due_at`` is the next try; ``changed_at`` the last change of state.

    ``is_recalled``: its owner retracted it, or withdrew their consent; it is not sent until they say otherwise.
    """

    state: PublicationState
    revision: int
    sent_revision: int
    uri: str | None
    reason: str
    due_at: Instant
    changed_at: Instant
    was_merged: bool
    is_recalled: bool = False

    def state_for_programs(self, *, is_by_another_app: bool) -> str:
        """The state in JSON: ``IMPORTED`` where the record is another app's and unchanged here, so that nothing is
        withheld.
        """
        is_untouched = self.uri is None and self.revision == 0 and self.state is PublicationState.WITHHELD
        return IMPORTED if is_by_another_app and is_untouched else self.state.value

    @property
    def _is_kept_here(self) -> bool:
        """Whether the publisher decided that it stays here: its host or author keeps it off the network, or a moderator
        reviews it.
        """
        return self.state is PublicationState.WITHHELD and self.reason not in _NOT_YET

    def words(self, now: Instant, *, is_allowed: bool, is_by_another_app: bool = False) -> str:
        """The text of the chip: words, never a code.

        ``is_allowed``: its owner has consented and it is public, as of now. The state is what the publisher found when
        it last looked, so it may lag behind a decision. ``is_by_another_app``: its record is in a repository, where
        this site did not write it.
        """
        if is_by_another_app and (self.uri is None or self.state is PublicationState.WITHHELD):
            if self.revision == 0:
                return ON_THE_NETWORK
            if not is_allowed or (self._is_kept_here and self.revision > self.sent_revision):
                return "changed only here"
        if self.is_recalled or not is_allowed:
            return self._words_unwanted()
        match self.state:
            case PublicationState.WITHHELD:
                is_pending = self.revision > self.sent_revision and not self._is_kept_here
                return "waiting for your PDS" if is_pending else "only here"
            case PublicationState.WAITING if self.reason == BEING_READ:
                return "waiting until your accounts have been read"
            case PublicationState.WAITING:
                return "waiting for the event to be published"
            case PublicationState.DUE | PublicationState.SENDING:
                return "waiting for your PDS"
            case PublicationState.PUBLISHED:
                lacks = f", {self.reason}" if self.reason.startswith(WITHOUT_PICTURE) else ""
                return ("changed elsewhere, merged" if self.was_merged else "on your PDS ✓") + lacks
            case PublicationState.RETRYING if self.reason == SWITCHED_OFF:
                return "waiting: publishing is switched off on this site"
            case PublicationState.RETRYING:
                return f"waiting for your PDS, next try {_in_words(self.due_at - now)}"
            case PublicationState.BLOCKED:
                return "not allowed at your server" if self.reason == NOT_ALLOWED else "sign in again to publish"
            case PublicationState.REFUSED:
                return f"your PDS did not take it: {self.reason}"
            case PublicationState.CONFLICTED:
                return "changed here and elsewhere: please choose"
            case PublicationState.RETRACTING:
                return "being taken back from your PDS"
            case PublicationState.RETRACTED:
                return "taken back from your PDS"

    def _words_unwanted(self) -> str:
        """For a record that must not be on the PDS."""
        if self.state is PublicationState.RETRACTED:
            return "taken back from your PDS"
        if self.uri is None:
            return "only here"
        match self.state:
            case PublicationState.PUBLISHED:
                return "on your PDS ✓"
            case PublicationState.BLOCKED:
                return "sign in again to take it back from your PDS"
            case _:
                return "being taken back from your PDS"


def _in_words(microseconds: int) -> str:
    if microseconds <= SECOND:
        return "now"
    if microseconds < MINUTE:
        return f"in {microseconds // SECOND} s"
    return f"in {-(-microseconds // MINUTE)} min"


ONLY_HERE = PublicationStatus(PublicationState.WITHHELD, 0, 0, None, "", Instant(0), Instant(0), was_merged=False)

_DUE_NOW = sql_literals(DUE_ON_NEW_REVISION)

INTO = "insert into publications (kind, subject_id, user_id, state, revision, due_at, edited_at, changed_at)"
IF_NEWER = f"""
    on conflict (kind, subject_id) do update
       set revision = excluded.revision, user_id = excluded.user_id,
           state = case when publications.state in ({_DUE_NOW}) then 'due' else publications.state end,
           due_at = excluded.due_at, edited_at = excluded.edited_at, changed_at = excluded.changed_at, attempts = 0,
           rounds = 0, writes = 0, was_lost = 0
     where excluded.revision > publications.revision
"""
ENQUEUE = f"{INTO} values (:kind, :subject_id, :user_id, 'due', :revision, :now, :edited_at, :now) {IF_NEWER}"

# What may have reached the PDS has a record key; a row without one is withheld by the publisher when it looks.
RETRACT = f"""
    update publications set state = 'retracting', revision = :revision, due_at = :now, edited_at = :now, changed_at = :now,
           attempts = 0, reason = ''
     where kind = :kind and subject_id = :subject_id and uri is not null and leased_until is null
       and state in ({GRAPH.sql_sources_of(PublicationState.RETRACTING)})
"""

TAKE_ON = """
    update publications set did = :did, uri = :uri
     where kind = :kind and subject_id = :subject_id and uri is null and leased_until is null
"""

STATES = """
    select subject_id, state, revision, sent_revision, uri, reason, due_at, changed_at, was_merged, is_recalled
      from publications where kind = :kind and subject_id in ({})
"""

# A retraction that runs is finished first, then the row is decided again.
TRY_AGAIN = """
    update publications set state = case when state = 'retracting' then state else 'due' end, due_at = :now, changed_at = :now, attempts = 0, rounds = 0, writes = 0,
           reason = '', is_recalled = 0
     where kind = :kind and subject_id = :subject_id
       and (state in ('withheld', 'waiting', 'due', 'retrying', 'blocked', 'refused', 'conflicted')
            or (state in ('retracting', 'retracted') and is_recalled = 1) or (state = 'retracted' and was_lost = 1))
"""

# A handler that runs at this moment may have decided before this change: the mark makes it leave the row due.
LEASED = "state in ('sending', 'retracting')"
DUE_OR_MARKED = f"""state = case when {LEASED} then state else 'due' end,
           due_at = case when {LEASED} then due_at else :now end,
           changed_at = case when {LEASED} then changed_at else :now end,
           looks_again = case when {LEASED} then 1 else looks_again end"""

TRY_ALL_OF = f"""
    update publications
       set {DUE_OR_MARKED},
           attempts = case when {LEASED} then attempts else 0 end, reason = case when {LEASED} then reason else '' end
     where user_id = :user_id
       and (state in ('withheld', 'waiting', 'retrying', 'blocked') or {LEASED} or (state = 'retracted' and was_lost = 0))
"""

_DECIDED = f"""(state in ('withheld', 'waiting', 'published') or {LEASED} or (state = 'retracted' and was_lost = 0)
            or (uri is not null and state in ('retrying', 'refused', 'conflicted')))"""
_LOOK_AGAIN = f"""
    update publications set {DUE_OR_MARKED}, writes = case when cast(:is_edit as integer) = 1 then 0 else writes end
     where kind = :kind and subject_id {{}} and {_DECIDED}
"""
LOOK_AGAIN = _LOOK_AGAIN.format("in :subject_ids")
LOOK_AGAIN_AT_ALL_OF = f"update publications set {DUE_OR_MARKED} where user_id = :user_id and {_DECIDED}"
LOOK_AGAIN_AT_KIND = f"""
    update publications set {DUE_OR_MARKED}
     where kind = :kind and (state in ('withheld', 'waiting', 'published') or {LEASED})
"""
_OF_FORMER = "select f.uri from former_records f where f.kind = :subject_kind and f.subject_id in"
# Engines limit the parameters of one statement; SQLite's limit is the lowest, 32,766.
_AT_A_TIME = 1000


async def enqueue(
    tx: Transaction,
    *,
    kind: PublicationKind,
    subject_id: str,
    user_id: str,
    revision: int,
    edited_at: Instant | None = None,
) -> None:
    """Enqueue: the repository of ``user_id`` will agree with this revision; the publisher decides how.

    Call it with every edit of something that might be published, also when it must now be deleted: what to do (publish,
    retract, nothing) is decided from the present when the row is leased. Older or equal revisions change nothing.
    ``edited_at``: where an earlier edit is enqueued again, when that was made.
    """
    await execute_together(
        tx,
        [owing(tx, kind=kind, subject_id=subject_id, user_id=user_id, revision=revision, edited_at=edited_at)],
    )
    if revision > 1:
        await look_at_former(tx, kind, "(:subject_id)", subject_id=subject_id)


def owing(
    tx: Transaction,
    *,
    kind: PublicationKind,
    subject_id: str,
    user_id: str,
    revision: int,
    edited_at: Instant | None = None,
) -> SqlWrite:
    """The statement of ``enqueue``, to be written together with the edit."""
    tx.after_commit(wake_dispatchers)
    # From here on one record can be traced by its subject: to the PDS and back (``record.published``,
    # ``record.came_back``).
    request = request_id.get()
    tx.after_commit(
        lambda: tracing.note("record.owed", subject_id, kind=kind.value, revision=revision, request_id=request or None)
    )
    return SqlWrite(
        ENQUEUE,
        {
            "kind": kind,
            "subject_id": subject_id,
            "user_id": user_id,
            "revision": revision,
            "now": tx.now,
            "edited_at": tx.now if edited_at is None else edited_at,
        },
    )


async def enqueue_many(tx: Transaction, *, kind: PublicationKind, owed: Sequence[tuple[str, str, int]]) -> None:
    """``enqueue`` for many: (subject, user id, revision)."""
    await enqueue_edits(tx, kind=kind, owed=[(*one, tx.now) for one in owed])


async def enqueue_edits(
    tx: Transaction, *, kind: PublicationKind, owed: Sequence[tuple[str, str, int, Instant]]
) -> None:
    """``enqueue_many`` of edits that were made earlier, with the time of each."""
    tx.after_commit(wake_dispatchers)
    await tx.execute_many(
        ENQUEUE,
        [
            {
                "kind": kind,
                "subject_id": subject_id,
                "user_id": user_id,
                "revision": revision,
                "now": tx.now,
                "edited_at": edited_at,
            }
            for subject_id, user_id, revision, edited_at in owed
        ],
    )
    edited = [subject_id for subject_id, _, revision, _ in owed if revision > 1]
    for start in range(0, len(edited), _AT_A_TIME):
        await look_at_former(tx, kind, ":some", some=edited[start : start + _AT_A_TIME])


async def enqueue_retraction(
    tx: Transaction,
    *,
    kind: PublicationKind,
    subject_id: str,
    user_id: str,
    revision: int,
    record: tuple[str, str] | None = None,
) -> None:
    """Enqueue a retraction, for what was deleted or became private: it goes before everything else that is due.

    ``record``: DID and uri of a record that was not written from here, and must be deleted all the same.
    """
    records = {} if record is None else {subject_id: record}
    await enqueue_retractions(tx, kind=kind, owed=[(subject_id, user_id, revision)], records=records)


async def enqueue_retractions(
    tx: Transaction,
    *,
    kind: PublicationKind,
    owed: Sequence[tuple[str, str, int]],
    records: Mapping[str, tuple[str, str]],
) -> None:
    """``enqueue_retraction`` for many: (subject, user id, revision); ``records`` by subject, where there is one."""
    tx.after_commit(wake_dispatchers)
    await tx.execute_many(
        RETRACT,
        [
            {"kind": kind, "subject_id": subject_id, "revision": revision, "now": tx.now}
            for subject_id, _, revision in owed
        ],
    )
    # A row that is being retracted has this revision already, and nothing changes.
    await enqueue_many(tx, kind=kind, owed=owed)
    await tx.execute_many(
        TAKE_ON,
        [
            {"kind": kind, "subject_id": subject_id, "did": did, "uri": uri}
            for subject_id, (did, uri) in records.items()
        ],
    )


async def look_at_former(tx: Transaction, kind: PublicationKind, chosen: str, **parameters: object) -> None:
    """Look again at the former records of these subjects, after the subjects changed."""
    if kind in FORMER_OF:
        former = _LOOK_AGAIN.format(f"in ({_OF_FORMER} {chosen})")
        await tx.execute(former, kind=FORMER_OF[kind], subject_kind=kind, is_edit=1, now=tx.now, **parameters)


async def states(reader: Reader, kind: PublicationKind, subject_ids: Sequence[str]) -> dict[str, PublicationStatus]:
    """The status of each subject; ``ONLY_HERE`` for those without a publication."""
    found = dict.fromkeys(subject_ids, ONLY_HERE)
    if not found:
        return found
    names = {f"s{number}": subject_id for number, subject_id in enumerate(found)}
    rows = await reader.fetch(STATES.format(", ".join(f":{name}" for name in names)), kind=kind, **names)
    found.update((row["subject_id"], _standing(row)) for row in rows)
    return found


async def try_again(tx: Transaction, *, kind: PublicationKind, subject_id: str) -> bool:
    """A person asks for another try now, also of what they retracted, or deleted in another app; False when nothing
    waits.
    """
    tx.after_commit(wake_dispatchers)
    return await tx.execute(TRY_AGAIN, kind=kind, subject_id=subject_id, now=tx.now) == 1


async def wake_all_of(tx: Transaction, user_id: str) -> int:
    """The person consented, connected or signed in again: every row of theirs that was held up is due."""
    tx.after_commit(wake_dispatchers)
    return await tx.execute(TRY_ALL_OF, user_id=user_id, now=tx.now)


async def look_again(
    tx: Transaction, *, kind: PublicationKind, subject_ids: Sequence[str], is_edit: bool = False
) -> None:
    """What these depend on has changed: the publisher decides again.

    Also for rows that the PDS refused or that are in conflict: an earlier version may have to be deleted. ``is_edit``:
    a person made the change, so the write does not count as one without an edit.
    """
    tx.after_commit(wake_dispatchers)
    for start in range(0, len(subject_ids), _AT_A_TIME):
        some = list(subject_ids[start : start + _AT_A_TIME])
        await tx.execute(LOOK_AGAIN, kind=kind, subject_ids=some, is_edit=int(is_edit), now=tx.now)
        await look_at_former(tx, kind, ":some", some=some)


async def look_again_where(tx: Transaction, *, kind: PublicationKind, chosen: str, **parameters: object) -> None:
    """``look_again`` at any number as one statement: ``chosen`` is a subselect of ours that names them."""
    tx.after_commit(wake_dispatchers)
    await tx.execute(_LOOK_AGAIN.format(f"in ({chosen})"), kind=kind, is_edit=0, now=tx.now, **parameters)
    await look_at_former(tx, kind, f"({chosen})", **parameters)


async def look_again_at_all_of(tx: Transaction, user_id: str) -> None:
    """``look_again`` for everything of a person: their publishing settings changed."""
    tx.after_commit(wake_dispatchers)
    await tx.execute(LOOK_AGAIN_AT_ALL_OF, user_id=user_id, now=tx.now)


async def look_again_at_all(tx: Transaction, kind: PublicationKind) -> None:
    """``look_again`` for every record of a kind: publishing of that kind was switched on."""
    tx.after_commit(wake_dispatchers)
    await tx.execute(LOOK_AGAIN_AT_KIND, kind=kind, now=tx.now)


async def forget_unsent(tx: Transaction, *, kind: PublicationKind, subject_ids: Sequence[str]) -> None:
    """Delete the rows of deleted subjects of which nothing was ever sent."""
    await tx.execute_many(
        "delete from publications where kind = :kind and subject_id = :subject_id and uri is null",
        [{"kind": kind.value, "subject_id": one} for one in subject_ids],
    )


def _standing(row: Row) -> PublicationStatus:
    return PublicationStatus(
        PublicationState(row["state"]),
        row["revision"],
        row["sent_revision"],
        row["uri"],
        row["reason"],
        Instant(row["due_at"]),
        Instant(row["changed_at"]),
        was_merged=bool(row["was_merged"]),
        is_recalled=bool(row["is_recalled"]),
    )
