"""E-mails about a host's events and groups that mail servers rejected permanently.

Hosts see the addresses that they or a co-host typed. They do not know the addresses of attendees and members, so for those
they see only a number.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.attendance.calendar_entries import ANSWERED_MAIL, DECLINED_MAIL
from openmeet.domain.attendance.invitation_queries import REMOVED_ADDRESS
from openmeet.domain.attendance.notify import NOTIFIED_STATUSES
from openmeet.domain.events import co_host_queries
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.co_hosts import CO_HOST_MAIL
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import INSIDE, INVITATION_MAIL, Group, GroupId
from openmeet.domain.groups.rules import GroupPermission, may
from openmeet.domain.guest_rsvps.queries import GUEST_CONFIRMED_MAIL
from openmeet.domain.imports.people import ARRIVAL_MAIL
from openmeet.domain.notifications import event_kinds, group_kinds
from openmeet.domain.notifications.kinds import KINDS
from openmeet.domain.notifications.model import NOTIFICATION_MAIL, SubjectType
from openmeet.domain.users.model import UserId
from openmeet.outbox import emails
from openmeet.outbox.emails import DueEmail

# The latest rejected e-mails of the whole community; older ones are mostly about past events.
_MAX_READ: Final = 1_000
_CONFIRMATIONS: Final = frozenset({ANSWERED_MAIL, DECLINED_MAIL, GUEST_CONFIRMED_MAIL})


class AddressSource(StrEnum):
    """Where the address of an e-mail was entered, which is also where it can be corrected."""

    CO_HOSTS = "co_hosts"
    GUEST_LIST = "guest_list"
    INVITATIONS = "guests"
    MEMBER_LIST = "member_list"
    MEMBERS = "members"
    PERSON = "person"  # the recipient answered the event or is in the group, and entered the address themselves


@dataclass(frozen=True, slots=True)
class UndeliveredEmails:
    """Rejected e-mails about one event or group whose addresses come from the same source.

    ``addresses`` are the addresses that a host typed; empty for ``PERSON``. ``people`` is the number of recipients.
    """

    about: Event | Group
    source: AddressSource
    addresses: tuple[str, ...]
    people: int
    emails: tuple[DueEmail, ...]


@dataclass(frozen=True, slots=True)
class _RefusedEmail:
    """One rejected e-mail. ``subject`` is the id of the event or group. ``recipient`` is an address that a host typed,
    or a user id.
    """

    due: DueEmail
    source: AddressSource
    subject: str
    recipient: str


@dataclass(slots=True)
class _RefusedEmails:
    recipients: dict[str, None] = field(default_factory=dict)
    emails: list[DueEmail] = field(default_factory=list)


async def undelivered(reader: Reader, host: UserId) -> list[UndeliveredEmails]:
    """Return the rejected e-mails about upcoming events that this person hosts and groups that they can invite people
    to.
    """
    due = await emails.refused_emails(reader, _MAX_READ)
    if not due:
        return []
    by_kind: dict[str, list[DueEmail]] = {}
    for one in due:
        by_kind.setdefault(one.kind, []).append(one)
    refused = [
        *await _to_co_hosts(reader, by_kind.get(CO_HOST_MAIL, [])),
        *await _to_contacts(reader, by_kind.get(ARRIVAL_MAIL, [])),
        *await _to_members(reader, by_kind.get(INVITATION_MAIL, [])),
        *await _to_guests(reader, by_kind, host),
    ]
    about = await _hosted(reader, host, {one.subject for one in refused})
    refused_by_address: dict[tuple[str, AddressSource], _RefusedEmails] = {}
    for each in refused:
        if each.subject in about:
            collected = refused_by_address.setdefault((each.subject, each.source), _RefusedEmails())
            collected.recipients[each.recipient] = None
            collected.emails.append(each.due)
    return [
        UndeliveredEmails(
            about[subject],
            source,
            () if source is AddressSource.PERSON else tuple(each.recipients),
            len(each.recipients),
            tuple(each.emails),
        )
        for (subject, source), each in refused_by_address.items()
    ]


async def dismiss(tx: Transaction, host: UserId, subject: str, source: str) -> int:
    """Hide these e-mails from the host and complete their jobs. Returns the number of e-mails.

    E-mails about events and groups of other people are not affected.
    """
    dismissed = [one for one in await undelivered(tx, host) if (one.about.id, one.source) == (subject, source)]
    for one in dismissed:
        await emails.close_refused(tx, one.emails)
    return sum(len(one.emails) for one in dismissed)


async def _hosted(reader: Reader, host: UserId, subjects: Iterable[str]) -> Mapping[str, Event | Group]:
    """Return which of these events and groups this person hosts or organises, by id."""
    ids = sorted(subjects)
    coming = [
        one for one in await event_queries.several(reader, [EventId(one) for one in ids]) if not one.is_over(reader.now)
    ]
    beside = await co_host_queries.hosted_among(reader, host, [one.id for one in coming])
    hosted: dict[str, Event | Group] = {
        one.id: one for one in coming if not one.is_gone and (one.author_id == host or one.id in beside)
    }
    roles = await group_queries.roles_in(reader, [GroupId(one) for one in ids], host)
    invited_to = [group_id for group_id, role in roles.items() if may(role, GroupPermission.INVITE)]
    for group in (await group_queries.by_ids(reader, invited_to)).values():
        if group.deleted_at is None:
            hosted[group.id] = group
    return hosted


async def _to_co_hosts(reader: Reader, due: Sequence[DueEmail]) -> list[_RefusedEmail]:
    """Co-host invitations by e-mail address. People who were invited by handle are left out: the host does not know
    their address.
    """
    by_id = {one.subject_id: one for one in due if one.person == one.subject_id}
    if not by_id:
        return []
    rows = await reader.fetch(
        "select id, event_id, email from event_co_hosts where id in :ids and state = 'invited' and email is not null"
        " and expires_at > :now order by id",
        ids=sorted(by_id),
        now=reader.now,
    )
    return [_RefusedEmail(by_id[row["id"]], AddressSource.CO_HOSTS, row["event_id"], row["email"]) for row in rows]


async def _to_contacts(reader: Reader, due: Sequence[DueEmail]) -> list[_RefusedEmail]:
    by_id = {one.subject_id: one for one in due}
    if not by_id:
        return []
    rows = await reader.fetch(
        "select id, what, target, email from imported_contacts where id in :ids and stage = 'invited' order by id",
        ids=sorted(by_id),
    )
    sources = {"guests": AddressSource.GUEST_LIST, "members": AddressSource.MEMBER_LIST}
    return [_RefusedEmail(by_id[row["id"]], sources[row["what"]], row["target"], row["email"]) for row in rows]


async def _to_members(reader: Reader, due: Sequence[DueEmail]) -> list[_RefusedEmail]:
    by_id = {one.subject_id: one for one in due}
    if not by_id:
        return []
    rows = await reader.fetch(
        "select id, group_id, email from group_invitations where id in :ids and email is not null and revoked_at is null"
        " and declined_at is null and uses_left > 0 and expires_at > :now order by id",
        ids=sorted(by_id),
        now=reader.now,
    )
    return [_RefusedEmail(by_id[row["id"]], AddressSource.MEMBERS, row["group_id"], row["email"]) for row in rows]


@dataclass(frozen=True, slots=True)
class _EmailAbout:
    """An e-mail to a person about an event or group. ``is_invitation`` is True if it invites them to the event."""

    due: DueEmail
    subject: str
    is_group: bool = False
    is_invitation: bool = False

    @property
    def person(self) -> str:
        return self.due.person


async def _to_guests(reader: Reader, by_kind: Mapping[str, Sequence[DueEmail]], host: UserId) -> list[_RefusedEmail]:
    """E-mails to people who answered the event, are invited to it or are in the group. Followers of a host are left
    out.
    """
    about_others = await _emails_about(reader, by_kind.get(NOTIFICATION_MAIL, ()))
    about_others += [_EmailAbout(one, one.subject_id) for kind in _CONFIRMATIONS for one in by_kind.get(kind, ())]
    about_others = [one for one in about_others if one.person != host]
    answers = await _answers(reader, [one for one in about_others if not one.is_group])
    inside = await _memberships(reader, [one for one in about_others if one.is_group])
    refused = []
    for one in about_others:
        key = (one.subject, one.person)
        if one.is_group:
            if key in inside:
                refused.append(_RefusedEmail(one.due, AddressSource.PERSON, *key))
        elif key in answers:
            address = answers[key]
            # The host must not learn whose address it is before the person answers.
            if address:
                refused.append(_RefusedEmail(one.due, AddressSource.INVITATIONS, one.subject, address))
            elif not one.is_invitation:
                refused.append(_RefusedEmail(one.due, AddressSource.PERSON, *key))
    return refused


async def _emails_about(reader: Reader, due: Sequence[DueEmail]) -> list[_EmailAbout]:
    by_mail = {email.subject_id: email for email in due}
    if not by_mail:
        return []
    rows = await reader.fetch(
        "select mail_id, kind, subject_id, particulars from notifications where mail_id in :ids order by id",
        ids=sorted(by_mail),
    )
    emails_about = []
    for row in rows:
        email, kind = by_mail[row["mail_id"]], KINDS[row["kind"]]
        if kind.subject is SubjectType.EVENT:
            emails_about.append(_EmailAbout(email, row["subject_id"], is_invitation=kind is event_kinds.INVITED))
        elif kind is group_kinds.ANNOUNCEMENT:
            payload = msgspec.json.decode(row["particulars"], type=kind.payload)
            if payload.group_id is not None:
                emails_about.append(_EmailAbout(email, payload.group_id, is_group=True))
    return emails_about


async def _answers(reader: Reader, about_others: Sequence[_EmailAbout]) -> dict[tuple[str, str], str]:
    """Map (event id, user id) to the address by which a host invited this person.

    The address is empty for people who have answered. People who declined or were removed are left out.
    """
    if not about_others:
        return {}
    rows = await reader.fetch(
        "select event_id, user_id, status, coalesce(invited_as, '') as invited_as from attendances"
        " where event_id in :events and user_id in :people and status in :statuses order by id",
        events=sorted({one.subject for one in about_others}),
        people=sorted({one.person for one in about_others}),
        statuses=[one.value for one in NOTIFIED_STATUSES],
    )
    return {
        (row["event_id"], row["user_id"]): row["invited_as"]
        if row["status"] == "invited" and row["invited_as"] != REMOVED_ADDRESS
        else ""
        for row in rows
    }


async def _memberships(reader: Reader, about_others: Sequence[_EmailAbout]) -> set[tuple[str, str]]:
    if not about_others:
        return set()
    rows = await reader.fetch(
        "select group_id, user_id from group_members where group_id in :groups and user_id in :people and role in :roles"
        " order by id",
        groups=sorted({one.subject for one in about_others}),
        people=sorted({one.person for one in about_others}),
        roles=[one.value for one in INSIDE],
    )
    return {(row["group_id"], row["user_id"]) for row in rows}
