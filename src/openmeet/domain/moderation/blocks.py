"""Blocks and mutes between users.

A blocked user cannot RSVP to the blocker's events, join their groups, see their non-public content, or notify them.
Neither of the two sees the other's events and groups in lists. A mute hides a user or group from the muter's own lists
and notifications, and its target does not learn of it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from groundwork.clock import Instant
from groundwork.database.bulk import fetch_each
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Reason, Refused
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.moderation.model import ModeratedKind, Subject
from openmeet.domain.moderation.visibility import is_suspended
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.users.model import UserId
from openmeet.outbox.kinds import JobKind

EventName = TypeVar("EventName", bound=str)


@dataclass(frozen=True, slots=True)
class Block:
    """A blocked or muted user or group."""

    subject: Subject
    name: str
    since: Instant


def is_block_between_sql(one: str, other: str) -> str:
    """SQL condition: either of two users (columns or parameters) has blocked the other."""
    return (
        f"exists (select 1 from user_blocks k where (k.user_id = {one} and k.blocked_id = {other})"
        f" or (k.user_id = {other} and k.blocked_id = {one}))"
    )


def is_out_of_lists(person: str, *muted: str) -> str:
    """SQL condition: lists shown to ``:viewer`` leave out this user (a column) because of a block or a mute."""
    return (
        f"({is_block_between_sql(':viewer', person)}"
        " or exists (select 1 from user_mutes q where q.user_id = :viewer "
        f"and q.subject in ({', '.join((person, *muted))})))"
    )


async def has_blocked(reader: Reader, person: UserId, other: UserId | None) -> bool:
    """Whether this user has blocked the other."""
    if other is None:
        return False
    row = await reader.fetch_one(
        "select 1 as found from user_blocks where user_id = :person and blocked_id = :other",
        person=person,
        other=other,
    )
    return row is not None


async def blockers_of(reader: Reader, people: Collection[UserId], viewer: UserId | None) -> set[UserId]:
    """The given users who have blocked the viewer."""
    if viewer is None or not people:
        return set()
    rows = await reader.fetch(
        "select user_id from user_blocks where blocked_id = :viewer and user_id in :people order by user_id",
        viewer=viewer,
        people=sorted(set(people)),
    )
    return {UserId(row["user_id"]) for row in rows}


async def hidden_from(reader: Reader, viewers: Collection[UserId]) -> dict[UserId, set[UserId]]:
    """The users that each of these users has blocked or muted, and whose content they therefore do not see."""
    if not viewers:
        return {}
    rows = await reader.fetch(
        "select user_id, blocked_id as other from user_blocks where user_id in :viewers"
        " union select user_id, subject from user_mutes where user_id in :viewers and kind = 'person' order by 1, 2",
        viewers=sorted(set(viewers)),
    )
    hidden: dict[UserId, set[UserId]] = {}
    for row in rows:
        hidden.setdefault(UserId(row["user_id"]), set()).add(UserId(row["other"]))
    return hidden


async def is_block_between(reader: Reader, person: UserId, other: UserId) -> bool:
    """Whether either user has blocked the other. If so, neither can message or invite the other."""
    row = await reader.fetch_one(
        f"select 1 as found from users u where u.id = :person and {is_block_between_sql('u.id', ':other')}",
        person=person,
        other=other,
    )
    return row is not None


async def is_block_between_address(reader: Reader, person: UserId, email: str) -> bool:
    """Like ``is_block_between``, for the user with this e-mail address, if any.

    Checked only when the e-mail is sent, so that nobody learns whose address it is.
    """
    row = await reader.fetch_one(
        f"select 1 as found from users u where u.email = :email and {is_block_between_sql('u.id', ':person')}",
        email=email,
        person=person,
    )
    return row is not None


async def raise_if_blocked(reader: Reader, person: UserId, other: UserId, *, refusal: Reason) -> None:
    """Raise Refused (``NotWelcome``) if either user has blocked the other. The message does not say why."""
    if await is_block_between(reader, person, other):
        raise Refused(refusal, name="NotWelcome")


async def raise_if_unwelcome(reader: Reader, host: UserId, caller: UserId, *, refusal: Reason) -> None:
    """Raise Refused (``NotWelcome``) if the caller is unwelcome (``is_unwelcome``). The message does not say why."""
    row = await reader.fetch_one(
        f"select 1 as found from users u where u.id = :caller and {is_unwelcome(':host', 'u.id')}",
        host=host,
        caller=caller,
    )
    if row is not None:
        raise Refused(refusal, name="NotWelcome")


def is_unwelcome(host: str, other: str) -> str:
    """SQL condition: the host has blocked this user (both are columns), or a moderator has blocked the user or one of
    their DIDs.
    """
    return (
        f"(exists (select 1 from user_blocks k where k.user_id = {host} and k.blocked_id = {other})"
        f" or {is_suspended(other)})"
    )


def is_unwilling(person: str) -> str:
    """SQL condition: this user (a column) has muted or blocked one of ``:sources`` (users and groups), or one of them
    has blocked the user.
    """
    return (
        f"(exists (select 1 from user_blocks k where (k.user_id = {person} and k.blocked_id in :sources)"
        f" or (k.blocked_id = {person} and k.user_id in :sources))"
        f" or exists (select 1 from user_mutes q where q.user_id = {person} and q.subject in :sources))"
    )


async def unwelcome_among(
    reader: Reader, pairs: Mapping[tuple[EventName, UserId], UserId]
) -> set[tuple[EventName, UserId]]:
    """Return those (subject, user) pairs in which the subject's host or a moderator has blocked the user.

    The values of ``pairs`` are the hosts.
    """
    rows = [
        {"subject_id": subject_id, "host_id": host, "other_id": other}
        for (subject_id, other), host in sorted(pairs.items())
    ]
    blocked_rows = await fetch_each(reader, _UNWELCOME_AMONG, rows)
    unwelcome = {(row["subject_id"], row["other_id"]) for row in blocked_rows}
    return {pair for pair in pairs if pair in unwelcome}


async def unwilling_among(reader: Reader, pairs: Collection[tuple[UserId, str]]) -> set[tuple[UserId, str]]:
    """Return those (user, source) pairs in which the user has muted or blocked the source (a user or group), or the
    source has blocked the user.
    """
    rows = [{"person_id": person, "source": source} for person, source in sorted(pairs)]
    return {(UserId(row["person_id"]), row["source"]) for row in await fetch_each(reader, _UNWILLING_AMONG, rows)}


_UNWILLING_AMONG = f"""
    select given.person_id, given.source from each(person_id text, source text) as given
     where {is_block_between_sql("given.person_id", "given.source")}
        or exists (select 1 from user_mutes q where q.user_id = given.person_id and q.subject = given.source)
"""

_UNWELCOME_AMONG = f"""
    select given.subject_id, given.other_id from each(subject_id text, host_id text, other_id text) as given
     where {is_unwelcome("given.host_id", "given.other_id")}
"""


async def block(tx: Transaction, user_id: UserId, blocked_id: UserId, *, is_known: bool = True) -> bool:
    """Block a user. False if already blocked. ``is_known``: the blocker knew the user's name and may still see it."""
    made = await tx.execute(
        "insert into user_blocks (user_id, blocked_id, is_known, created_at)"
        " values (:user_id, :blocked_id, :is_known, :now) on conflict (user_id, blocked_id) do nothing",
        user_id=user_id,
        blocked_id=blocked_id,
        is_known=int(is_known),
        now=tx.now,
    )
    return made == 1


async def unblock(tx: Transaction, user_id: UserId, blocked_id: UserId) -> bool:
    deleted_count = await tx.execute(
        "delete from user_blocks where user_id = :user_id and blocked_id = :blocked_id",
        user_id=user_id,
        blocked_id=blocked_id,
    )
    return deleted_count == 1


async def mute(tx: Transaction, user_id: UserId, subject: Subject, *, is_known: bool = True) -> bool:
    """Mute a user or group. False if already muted. ``is_known``: see ``block``."""
    made = await tx.execute(
        "insert into user_mutes (user_id, kind, subject, is_known, created_at)"
        " values (:user_id, :kind, :subject, :is_known, :now) on conflict (user_id, subject) do nothing",
        is_known=int(is_known),
        user_id=user_id,
        kind=subject.kind.value,
        subject=subject.id,
        now=tx.now,
    )
    return made == 1


async def unmute(tx: Transaction, user_id: UserId, subject: str) -> bool:
    deleted_count = await tx.execute(
        "delete from user_mutes where user_id = :user_id and subject = :subject", user_id=user_id, subject=subject
    )
    return deleted_count == 1


async def apply_to_new_host(tx: Transaction, host: UserId) -> None:
    """Enqueue the job that applies this person's blocks to what they have just become the owner of.

    Also if they have blocked nobody, because they may be blocking somebody at this moment.
    """
    await enqueue_again(tx, JobKind.APPLY_BLOCKS, [host])


async def blocked_by(reader: Reader, user_id: UserId, page: Page = ALL_ROWS) -> list[Block]:
    """Users that a user has blocked, newest first."""
    rows = await reader.fetch(
        f"""
        select b.blocked_id, u.display_name, b.created_at
          from user_blocks b join users u on u.id = b.blocked_id
         where b.user_id = :user_id{page.clause("b.created_at", "b.blocked_id")}
        """,
        user_id=user_id,
        **page.values,
    )
    return [
        Block(Subject(ModeratedKind.PERSON, row["blocked_id"]), row["display_name"], Instant(row["created_at"]))
        for row in rows
    ]


async def mutes_of(reader: Reader, user_id: UserId, page: Page = ALL_ROWS) -> Sequence[tuple[Subject, Instant]]:
    """Users and groups that a user has muted, newest first."""
    rows = await reader.fetch(
        f"select kind, subject, created_at from user_mutes where user_id = :user_id{page.clause('created_at', 'subject')}",
        user_id=user_id,
        **page.values,
    )
    return [(Subject(ModeratedKind(row["kind"]), row["subject"]), Instant(row["created_at"])) for row in rows]


async def is_muted(reader: Reader, user_id: UserId, subject: str) -> bool:
    row = await reader.fetch_one(
        "select 1 as found from user_mutes where user_id = :user_id and subject = :subject",
        user_id=user_id,
        subject=subject,
    )
    return row is not None
