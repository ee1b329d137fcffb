"""Moderation status in queries: the condition that leaves out withheld subjects, and SQL for each subject's row.

``is_withheld`` is used only in the visibility conditions of each package (``events.visibility.is_hidden`` and its
equivalents for series and groups).
"""

from collections.abc import Sequence
from typing import Final

from groundwork.clock import Instant
from groundwork.database.bulk import execute_each
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.domain.moderation.model import ModeratedKind, ModerationStatus, Subject, SubjectVisibility
from openmeet.domain.users.model import UserId

_COLUMNS = "subject, kind, state, reason, decided_by, since"

# The statuses with which a subject has a row but is not hidden, as a list of SQL literals.
NOT_HIDING: Final = ", ".join(f"'{one}'" for one in SubjectVisibility if not one.hides)


def is_withheld(*subjects: str, is_public: str) -> str:
    """SQL condition: a subject in one of these columns is shown only to its owner.

    ``is_public`` is a condition for ``FIRST_EVENT``, which hides only a user's public events.
    """
    return (
        f"exists (select 1 from moderation_states w where w.subject in ({', '.join(subjects)})"
        f" and w.state not in ({NOT_HIDING}) and (w.state <> 'first_event' or {is_public}))"
    )


def awaits_first(person: str) -> str:
    """SQL condition: this user's (a column) public events wait for a moderator."""
    return (
        f"exists (select 1 from moderation_states w where w.subject = {person} and w.kind = 'person'"
        " and w.state = 'first_event')"
    )


def is_of_blocked_host(host: str) -> str:
    """SQL condition: the PDS with this origin is blocked."""
    return (
        f"exists (select 1 from moderation_states b where b.subject = {host} and b.kind = 'host' "
        "and b.state = 'hidden')"
    )


def is_blocked(*subjects: str) -> str:
    """SQL condition: a moderator has blocked the user or the DID in one of these columns."""
    return (
        f"exists (select 1 from moderation_states w where w.subject in ({', '.join(subjects)}) and w.state = 'hidden')"
    )


def is_suspended(person: str) -> str:
    """SQL condition: a moderator has blocked the user (a column) or one of their network accounts."""
    return (
        f"({is_blocked(person)}"
        f" or exists (select 1 from identities ib where ib.user_id = {person} and {is_blocked('ib.did')}))"
    )


async def is_person_suspended(reader: Reader, person: UserId) -> bool:
    """Whether a moderator has blocked the user or one of their network accounts."""
    row = await reader.fetch_one(
        f"select 1 as found from users u where u.id = :person and {is_suspended('u.id')}", person=person
    )
    return row is not None


async def status_of(reader: Reader, subject: str) -> ModerationStatus | None:
    """The status of a subject. None if nothing was ever decided about it."""
    statuses = await statuses_of(reader, [subject])
    return statuses.get(subject)


async def statuses_of(reader: Reader, subjects: Sequence[str]) -> dict[str, ModerationStatus]:
    """Like ``status_of``, for several subjects."""
    if not subjects:
        return {}
    rows = await reader.fetch(
        f"select {_COLUMNS} from moderation_states where subject in :subjects order by subject",
        subjects=sorted(set(subjects)),
    )
    return {row["subject"]: status_of_row(row) for row in rows}


async def listed(
    reader: Reader, states: Sequence[SubjectVisibility], *, after: tuple[Instant, str] | None, limit: int
) -> list[ModerationStatus]:
    """Subjects with this status, oldest first."""
    clause = "" if after is None else "and (since, subject) > (:after_since, :after_subject)"
    values: dict[str, object] = {} if after is None else {"after_since": after[0], "after_subject": after[1]}
    rows = await reader.fetch(
        f"select {_COLUMNS} from moderation_states where state in :states {clause} order by since, subject limit :limit",
        states=[state.value for state in states],
        limit=limit,
        **values,
    )
    return [status_of_row(row) for row in rows]


async def change(
    tx: Transaction,
    subject: Subject,
    before: SubjectVisibility,
    after: SubjectVisibility,
    *,
    reason: str,
    by: UserId | None,
) -> bool:
    """Set the status by compare-and-set. False if the status is no longer the expected one."""
    if after is SubjectVisibility.SHOWN:
        changed = await tx.execute(
            "delete from moderation_states where subject = :subject and state = :before",
            subject=subject.id,
            before=before.value,
        )
        return changed == 1
    values = {**_values(tx, subject, after), "reason": reason, "by": by}
    if before is SubjectVisibility.SHOWN:
        changed = await tx.execute(
            "insert into moderation_states (subject, kind, state, reason, decided_by, since)"
            " values (:subject, :kind, :state, :reason, :by, :now) on conflict (subject) do nothing",
            **values,
        )
    else:
        changed = await tx.execute(
            "update moderation_states set state = :state, reason = :reason, decided_by = :by, since = :now"
            " where subject = :subject and kind = :kind and state = :before",
            **values,
            before=before.value,
        )
    return changed == 1


async def hold(tx: Transaction, subjects: Sequence[Subject], state: SubjectVisibility) -> None:
    """Withhold these subjects until a moderator decides. Subjects that already have a status keep it."""
    await execute_each(
        tx,
        """
        insert into moderation_states (subject, kind, state, reason, decided_by, since)
        select given.subject, given.kind, given.state, '', null, given.now
          from each(subject text, kind text, state text, now bigint) as given where 1 = 1
            on conflict (subject) do nothing
        """,
        [_values(tx, subject, state) for subject in subjects],
    )


async def release(tx: Transaction, subjects: Sequence[str], state: SubjectVisibility) -> int:
    """Show subjects that still have this status. Returns the number shown."""
    if not subjects:
        return 0
    return await tx.execute(
        "delete from moderation_states where subject in :subjects and state = :state",
        subjects=list(subjects),
        state=state.value,
    )


async def keep_waiting(tx: Transaction, subjects: Sequence[str]) -> None:
    """Make newcomers who were held for some time wait for a moderator."""
    if subjects:
        await tx.execute(
            "update moderation_states set state = 'burst' where subject in :subjects and state = 'arrival'",
            subjects=list(subjects),
        )


async def count(reader: Reader, states: Sequence[SubjectVisibility]) -> int:
    row = await reader.fetch_one(
        "select count(*) as number from moderation_states where state in :states",
        states=[state.value for state in states],
    )
    return int(row["number"]) if row else 0


def status_of_row(row: Row) -> ModerationStatus:
    return ModerationStatus(
        Subject(ModeratedKind(row["kind"]), row["subject"]),
        SubjectVisibility(row["state"]),
        row["reason"],
        None if row["decided_by"] is None else UserId(row["decided_by"]),
        Instant(row["since"]),
    )


def _values(tx: Transaction, subject: Subject, state: SubjectVisibility) -> dict[str, object]:
    return {"subject": subject.id, "kind": subject.kind.value, "state": state.value, "now": tx.now}
