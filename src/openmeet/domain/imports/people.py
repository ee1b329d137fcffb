"""Contact lists of events and groups.

Contacts are imported from a file and invited once by e-mail. They become attendees or members by accepting.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Conflict, Forbidden, InvalidForm, NotFound, PreconditionFailed, Refused, TooMany
from groundwork.signing_key import SigningKey
from groundwork.uuid7 import new_id
from groundwork.workers.pool import ChargedPool
from openmeet.domain.attendance import actions as attendance_actions
from openmeet.domain.attendance import imported_rsvps
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.answer_bar_inputs import is_welcome
from openmeet.domain.attendance.imported_rsvps import ImportedRsvp
from openmeet.domain.attendance.model import Attendance, AttendanceId, AttendanceStatus, RsvpReply, RsvpSource
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.events.actions import find_for_host, lock_for_host
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups import administration, invitation_queries
from openmeet.domain.groups.actions import lock_for
from openmeet.domain.groups.model import INVITATION_LIFE, Group, GroupId, GroupSlug, Invitation, InvitationId
from openmeet.domain.groups.queries import by_id as group_by_id
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission, require_managed_here, require_permission
from openmeet.domain.imports import queries
from openmeet.domain.imports.guest_list import means_no, parse_list
from openmeet.domain.imports.model import (
    MAX_MESSAGE,
    ContactList,
    ContactRow,
    ContactStage,
    Import,
    ImportedContact,
    ImportId,
    ImportKind,
    ImportReason,
    PersonId,
)
from openmeet.domain.moderation import visibility as moderation
from openmeet.domain.moderation.blocks import is_block_between_address
from openmeet.domain.moderation.model import SubjectVisibility
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.users.queries import by_email as user_by_email
from openmeet.domain.validation import INVALID_LINK, GeneralReason
from openmeet.i18n.catalogue import current, in_language
from openmeet.outbox import email_suppressions
from openmeet.outbox.emails import enqueue_email

ARRIVAL_MAIL = "arrival_invitation"

# Maximum number of people per invitation. A list is for one event, not for mass mailing.
MAX_INVITED = 1_000

_TOKEN = re.compile(r"([0-9a-f-]{36})\.([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class InvitationTarget:
    """An event or a group to which the caller may invite people. ``is_hidden``: only its hosts or admins can open it, as
    with a draft. ``takes_answers``: False for an event that is cancelled or over.
    """

    what: ImportKind
    id: str
    slug: str
    title: str
    is_hidden: bool = False
    takes_answers: bool = True

    @property
    def takes_invitations(self) -> bool:
        return self.takes_answers and not self.is_hidden

    @property
    def path(self) -> str:
        return f"/events/{self.slug}" if self.what is ImportKind.GUESTS else f"/groups/{self.slug}"


async def target_of(tx: Transaction, caller: Caller, kind: ImportKind, slug: str) -> InvitationTarget:
    """Lock and return the event or group, for a caller who may invite people to it: for an event, its hosts. Raises
    NotFound, Forbidden, Refused.
    """
    if kind is ImportKind.MEMBERS:
        group, _ = await lock_for(tx, caller, GroupSlug(slug), GroupPermission.INVITE)
        return InvitationTarget(kind, group.id, group.slug, group.details.name, is_hidden=group.is_hidden)
    event = await lock_for_host(tx, caller, EventSlug(slug), None, EventPermission.DECIDE_ANSWERS)
    return _target_of_event(event, tx.now)


async def find_target(reader: Reader, caller: Caller, kind: ImportKind, slug: str) -> InvitationTarget:
    """Like ``target_of``, but without the lock, for display."""
    if kind is ImportKind.MEMBERS:
        group, membership = await group_actions.visible(reader, GroupSlug(slug), caller.user_id)
        require_managed_here(group, GroupPermission.INVITE)
        require_permission(membership.role if membership else None, GroupPermission.INVITE)
        return InvitationTarget(kind, group.id, group.slug, group.details.name, is_hidden=group.is_hidden)
    event = await find_for_host(reader, caller, EventSlug(slug), EventPermission.DECIDE_ANSWERS)
    return _target_of_event(event, reader.now)


async def find_target_by_id(reader: Reader, caller: Caller, kind: ImportKind, target_id: str) -> InvitationTarget:
    """Like ``find_target``, with the id that an import stores."""
    return await find_target(reader, caller, kind, await _slug_of(reader, kind, target_id))


async def target_by_id(tx: Transaction, caller: Caller, kind: ImportKind, target_id: str) -> InvitationTarget:
    """Like ``target_of``, with the id that an import stores."""
    return await target_of(tx, caller, kind, await _slug_of(tx, kind, target_id))


def _target_of_event(event: Event, now: Instant) -> InvitationTarget:
    return InvitationTarget(
        ImportKind.GUESTS,
        event.id,
        event.slug,
        event.title,
        is_hidden=event.is_hidden or event.is_held,
        takes_answers=_takes_answers(event, now),
    )


def _takes_answers(event: Event, now: Instant) -> bool:
    return not (event.is_gone or event.is_cancelled or event.is_over(now))


async def _slug_of(reader: Reader, kind: ImportKind, target_id: str) -> str:
    """The slug of an event or group. Empty if it no longer exists."""
    if kind is ImportKind.MEMBERS:
        group = await group_by_id(reader, GroupId(target_id))
        return "" if group is None else group.slug
    event = await event_by_id(reader, EventId(target_id))
    return "" if event is None else event.slug


async def new_rows(reader: Reader, upload: Import, people: ContactList) -> tuple[list[ContactRow], int]:
    """Usable rows of people who are not on the list yet, and the number of people who are already on it.

    People are compared by address, or by name if they have none.
    """
    addresses = [row.email for row in people.usable if row.email]
    listed_emails = await queries.emails_on_list(reader, upload.what, upload.target, addresses)
    names = await queries.names_on_list(reader, upload.what, upload.target, [row.name for row in people.named])
    fresh = [row for row in people.usable if (row.email not in listed_emails if row.email else row.name not in names)]
    return fresh, len(listed_emails) + len(names)


async def parse_uploaded_list(workers: ChargedPool, upload: Import) -> ContactList:
    """Parse the uploaded list with the chosen columns, in a worker process.

    Raises InvalidInput, TooLarge (also if parsing takes too much work), TooMany and Unavailable.
    """
    return await workers.run(
        partial(in_language, current().tag, partial(parse_list, upload.content, dict(upload.columns)))
    )


async def add_to_list(
    db: Database,
    workers: ChargedPool,
    caller: Caller,
    import_id: ImportId,
    included_lines: Mapping[int, bool] = MappingProxyType({}),
) -> tuple[InvitationTarget, int, int]:
    """Add the people of an import to the list. Returns the list, the number of new people and the number already on it.
    Notifies nobody.

    ``included_lines``: whether to include a row, by line number. Other rows are included depending on their status
    (``guest_list.means_no``).

    Raises NotFound, Conflict (the columns changed meanwhile), and the errors of ``parse_uploaded_list``.
    """
    async with db.reader() as reader:
        stored_import = await queries.find(reader, caller.user_id, import_id)
    if stored_import is None or stored_import.what is ImportKind.EVENTS:
        raise NotFound(ImportReason.NO_SUCH_IMPORT)
    # The file of a list that was already imported is deleted.
    people = await parse_uploaded_list(workers, stored_import) if stored_import.outcome is None else None
    async with db.transaction() as tx:
        upload = await queries.lock(tx, caller.user_id, import_id)
        if upload is None or upload.what is ImportKind.EVENTS:
            raise NotFound(ImportReason.NO_SUCH_IMPORT)
        target = await target_by_id(tx, caller, upload.what, upload.target)
        if upload.outcome is not None:
            return target, int(upload.outcome["new"]), int(upload.outcome["known"])
        if people is None or upload.columns != stored_import.columns:
            raise Conflict(ImportReason.COLUMNS_CHANGED)
        fresh, already_listed = await new_rows(tx, upload, people)
        rows = [row for row in fresh if included_lines.get(row.line, not means_no(row.status))]
        await queries.add_contacts(tx, upload.what, upload.target, [row for row in rows if row.email], caller.user_id)
        await queries.add_named_contacts(tx, upload.what, upload.target, [row for row in rows if not row.email])
        await queries.finish(tx, import_id, {"new": len(rows), "known": already_listed})
    return target, len(rows), already_listed


async def addresses_to_invite(reader: Reader, caller: Caller, kind: ImportKind, slug: str) -> list[str]:
    """The addresses to which ``invite`` sends e-mails now. Raises NotFound, Forbidden, Refused."""
    target = await find_target(reader, caller, kind, slug)
    if not target.takes_invitations:
        return []
    waiting = await queries.uninvited_contacts(reader, kind, target.id, MAX_INVITED)
    return [one.email for one in waiting]


@dataclass(frozen=True, slots=True)
class SentInvitations:
    """``number``: how many people are sent the invitation. ``left_out``: the others, who stay on the list."""

    target: InvitationTarget
    number: int
    left_out: Sequence[ImportedContact]


async def invite(
    tx: Transaction,
    caller: Caller,
    kind: ImportKind,
    slug: str,
    *,
    message: str,
    expected: int,
    without: Collection[str] = (),
) -> SentInvitations:
    """Enqueue one invitation for everybody on the list who has none yet, except for the addresses in ``without``.
    ``expected``: the number shown to the host, with these addresses.

    Raises PreconditionFailed if the number has changed, InvalidForm (``message``), Refused (``NobodyToInvite``,
    ``EventOver``, ``EventHidden``, ``GroupHidden``), TooMany.
    """
    target = await target_of(tx, caller, kind, slug)
    if not target.takes_answers:
        raise Refused(AttendanceReason.TAKES_NO_ANSWERS, name="EventOver")
    if target.is_hidden:
        # As for a single invitation: nobody could open what they are invited to.
        if kind is ImportKind.MEMBERS:
            raise Refused(GroupReason.SEEN_BY_ADMINS_ONLY, name="GroupHidden")
        raise Refused(AttendanceReason.SEEN_BY_HOSTS_ONLY, name="EventHidden")
    text = message.replace("\r\n", "\n").strip()
    if len(text) > MAX_MESSAGE:
        raise InvalidForm({"message": GeneralReason.TEXT_OF_LENGTH_TOO_LONG(most=MAX_MESSAGE, length=len(text))})
    waiting = await queries.uninvited_contacts(tx, kind, target.id, MAX_INVITED + 1)
    if not waiting:
        raise Refused(ImportReason.NOBODY_TO_INVITE, name="NobodyToInvite")
    if len(waiting) > MAX_INVITED:
        raise TooMany(ImportReason.TOO_MANY_PEOPLE, most=MAX_INVITED, after_seconds=24 * 3600)
    if len(waiting) != expected:
        raise PreconditionFailed(ImportReason.LIST_CHANGED, length=len(waiting), expected=expected)
    invited = [one for one in waiting if one.email not in without]
    await queries.invite(tx, [one.id for one in invited], text, caller.user_id)
    for one in invited:
        await enqueue_email(tx, kind=ARRIVAL_MAIL, person=one.id, subject_id=one.id)
    return SentInvitations(target, len(invited), [one for one in waiting if one.email in without])


async def accept(tx: Transaction, caller: Caller, person_id: PersonId) -> str:
    """Accept an invitation as the caller. Returns the path of the event or group.

    Raises NotFound (no such invitation, or its event or group is gone), Refused (full, over, banned).
    """
    # Locked, because two people may open the same link at the same time.
    person = await queries.lock_person(tx, person_id)
    if person is None or person.stage in {ContactStage.KEPT, ContactStage.DECLINED}:
        raise NotFound(ImportReason.INVITATION_OVER, name=INVALID_LINK)
    if person.stage is ContactStage.ACCEPTED:
        raise Refused(ImportReason.INVITATION_USED, name="InvitationUsed")
    path = (
        await _into_group(tx, caller, person)
        if person.what is ImportKind.MEMBERS
        else await _to_event(tx, caller, person)
    )
    await queries.set_stage(tx, person.id, ContactStage.ACCEPTED)
    return path


async def decline(tx: Transaction, key: SigningKey, person_id: PersonId) -> None:
    """Decline an invitation. The contact is never invited to this event or group again."""
    person = await queries.lock_person(tx, person_id)
    if person is None or person.stage is ContactStage.KEPT:
        raise NotFound(ImportReason.INVITATION_OVER, name=INVALID_LINK)
    if person.stage is ContactStage.INVITED:
        await queries.set_stage(tx, person.id, ContactStage.DECLINED)
        # The suppression is kept longer than the list, which is deleted some time after its use or with its importer's
        # account.
        await email_suppressions.decline(tx, key, person.target, person.email)


async def find_invitation(reader: Reader, person_id: PersonId) -> tuple[ImportedContact, Event | None, Group | None]:
    """Return the event or group of an invitation. Raises NotFound, also while a moderator hides it."""
    person = await queries.person(reader, person_id)
    if person is None or person.stage is ContactStage.KEPT:
        raise NotFound(ImportReason.INVITATION_OVER, name=INVALID_LINK)
    event = await event_by_id(reader, EventId(person.target)) if person.what is ImportKind.GUESTS else None
    group = await group_by_id(reader, GroupId(person.target)) if person.what is ImportKind.MEMBERS else None
    is_gone = (event is None or event.is_gone or event.is_draft) and (group is None or group.deleted_at is not None)
    if is_gone or (group is not None and group.is_hidden):
        raise NotFound(ImportReason.TARGET_GONE, name=INVALID_LINK)
    if event is not None and event.is_hidden and await _is_hidden_by_moderator(reader, event):
        raise NotFound(ImportReason.TARGET_GONE, name=INVALID_LINK)
    return person, event, group


async def is_still_to_be_invited(
    reader: Reader, contact: ImportedContact, event: Event | None, group: Group | None
) -> bool:
    """Whether to send the invitation of a contact to this event or group. False if it takes no answers any more, if the
    contact or the sender has blocked the other, if the contact may not come or is banned, and if they are a member or
    have an RSVP, whatever they answered: the e-mail says that they are on no list.

    Checked only when the e-mail is sent, so that no host learns whose address it is.
    """
    if await is_block_between_address(reader, contact.invited_by, contact.email):
        return False
    if group is not None and await invitation_queries.is_member_or_banned(reader, group.id, contact.email):
        return False
    if event is None:
        return True
    if not _takes_answers(event, reader.now):
        return False
    if await attendance_queries.by_invited_address(reader, event.id, contact.email) is not None:
        return False
    user = await user_by_email(reader, contact.email)
    user_id = await guests.by_email(reader, contact.email) if user is None else user.id
    if user_id is None:
        return True
    return await attendance_queries.find(reader, event.id, user_id) is None and await is_welcome(reader, event, user_id)


def invited_rsvp(event_id: EventId, user_id: UserId, now: Instant) -> Attendance:
    """The RSVP that somebody has at the moment when they accept an invitation to an event. It is not stored."""
    return Attendance(
        AttendanceId(new_id(now)),
        event_id,
        user_id,
        AttendanceStatus.INVITED,
        waitlist_number=None,
        source=RsvpSource.HERE,
        revision=1,
        record_uri=None,
        created_at=now,
        answered_at=now,
    )


async def _is_hidden_by_moderator(reader: Reader, event: Event) -> bool:
    """Whether a moderator decided to hide the event. Events that only wait for a moderator are not included: the
    e-mails of their guest list are not sent twice, so that they must not be dropped.
    """
    place, group = event.position_in_series, event.group
    subjects = (
        event.id,
        event.author_id,
        event.record_did,
        place.series_id if place else None,
        group.id if group else None,
    )
    decided = await moderation.statuses_of(reader, [subject for subject in subjects if subject])
    return any(one.state is SubjectVisibility.HIDDEN for one in decided.values())


def token_of(key: SigningKey, person_id: PersonId) -> str:
    """The token of an invitation link. It is derived from the installation's key and never stored (invariant 8)."""
    proof = key.digest(b"arrival invitation\x00" + person_id.encode()).hex()
    return f"{person_id}.{proof[:32]}"


def person_in(key: SigningKey, token: str) -> PersonId:
    """Return the contact behind an invitation link. Raises NotFound if the token is forged."""
    match = _TOKEN.fullmatch(token)
    if match is None or not key.verifies(token, lambda one: token_of(one, PersonId(match[1]))):
        raise NotFound(ImportReason.INVITATION_OVER, name=INVALID_LINK)
    return PersonId(match[1])


async def _into_group(tx: Transaction, caller: Caller, person: ImportedContact) -> str:
    group = await group_by_id(tx, GroupId(person.target))
    if group is None or group.deleted_at is not None:
        raise NotFound(ImportReason.GROUP_GONE)
    invitation = Invitation(
        id=InvitationId(new_id(tx.now)),
        group_id=group.id,
        email=person.email,
        invited_by=person.invited_by,
        uses=1,
        uses_left=1,
        expires_at=Instant(tx.now + INVITATION_LIFE),
        revoked_at=None,
        declined_at=None,
        created_at=tx.now,
    )
    await invitation_queries.insert_invitation(tx, invitation)
    await administration.accept(tx, caller, invitation.id)
    return f"/groups/{group.slug}"


async def _to_event(tx: Transaction, caller: Caller, person: ImportedContact) -> str:
    event = await event_by_id(tx, EventId(person.target))
    if event is None or event.is_gone or event.is_draft:
        raise NotFound(ImportReason.EVENT_GONE)
    own_attendance = await attendance_queries.find(tx, event.id, caller.user_id)
    if own_attendance is not None and own_attendance.status is AttendanceStatus.REJECTED:
        raise Forbidden(ImportReason.REJECTED_BY_HOST)
    if own_attendance is None:
        # Invited people can see a private event.
        await imported_rsvps.put(tx, [ImportedRsvp(event.id, caller.user_id, AttendanceStatus.INVITED, tx.now)])
    await attendance_actions.answer(tx, caller, event.slug, RsvpReply.GOING)
    return f"/events/{event.slug}"
