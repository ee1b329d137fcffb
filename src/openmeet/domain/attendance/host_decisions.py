"""Host decisions on RSVPs: approve, decline, remove, restore, add, check in (``invitations`` has inviting). Locks the
event row first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from groundwork.database.row_lock import hold
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, NotFound, PreconditionFailed, Refused
from openmeet.domain.attendance import history, invitation_queries, queries, registration, rules, save, waitlist
from openmeet.domain.attendance.model import (
    AnswerMode,
    Attendance,
    AttendanceId,
    AttendanceStatus,
    PendingFor,
    RsvpRequest,
    RsvpSource,
    Through,
)
from openmeet.domain.attendance.registration import DEFAULT, RegistrationSettings
from openmeet.domain.attendance.response_details import ResponseDetails, particulars
from openmeet.domain.attendance.rules import Decided, Eligibility
from openmeet.domain.attendance.transitions import TABLE, AttendanceAction, AttendanceTransition
from openmeet.domain.events import seeing
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.permissions import EventPermission, may
from openmeet.domain.events.queries import by_slug, lock_by_slug, lock_several, several
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import NotificationDetails, NotificationKind, When
from openmeet.domain.users import guests
from openmeet.domain.users.model import MAX_NAME, Caller, UserId
from openmeet.i18n.markdown import one_line


@dataclass(frozen=True, slots=True)
class Sorted:
    """Result of a decision about several RSVPs."""

    seated: int = 0
    waiting: int = 0
    removed: int = 0


async def hosted(reader: Reader, caller: Caller, slug: EventSlug) -> Event:
    """The event, for its hosts. Raises NotFound, and Forbidden for those who only see it."""
    return await _theirs(reader, caller, await by_slug(reader, slug))


async def lock_hosted(tx: Transaction, caller: Caller, slug: EventSlug) -> Event:
    """``hosted``, locked."""
    return await _theirs(tx, caller, await lock_by_slug(tx, slug))


async def may_host(reader: Reader, event: Event, caller: Caller | None) -> bool:
    """Whether somebody manages the RSVPs of an event: its author and co-hosts."""
    if caller is None:
        return False
    return may(await seeing.standing_of(reader, event, caller.user_id), EventPermission.DECIDE_ANSWERS)


async def approve(
    tx: Transaction, caller: Caller, slug: EventSlug, ids: Sequence[AttendanceId] | None = None
) -> Sorted:
    """Approve these RSVPs (None: all that wait for approval), in order of arrival; without a free seat they join the
    waitlist.

    RSVPs with an unknown network status are approved only by name.
    """
    event = await lock_hosted(tx, caller, slug)
    joining = await registration.of_event(tx, event)
    found = await _chosen(tx, event, ids, AttendanceAction.APPROVE)
    if ids is None:
        waits = (PendingFor.APPROVAL, PendingFor.APART, None)
        found = [one for one in found if one.status is AttendanceStatus.PENDING and one.pending_for in waits]
    seated: list[Attendance] = []
    waiting: list[Attendance] = []
    for one in found:
        room = await save.has_room(tx, event, joining, one, save.as_said(one))
        saved = await apply(tx, event, one, AttendanceAction.APPROVE, caller, has_room=room, is_approved=True)
        (seated if saved.is_seated else waiting).append(saved)
    await tell(tx, event, seated, NotificationKind.ANSWER_APPROVED)
    if waiting:
        await waitlist.fill(tx, event, joining)
        # An offer made in the same moment is the news; do not also say that the event is full.
        ids = [one.id for one in waiting]
        now = await queries.in_order(tx, event.id, [AttendanceStatus.WAITLISTED], ids, limit=waitlist.MAX_AT_ONCE)
        await tell(tx, event, [one for one in now if one.offered_until is None], NotificationKind.ANSWER_APPROVED)
    return Sorted(len(seated), len(waiting))


async def remove(tx: Transaction, caller: Caller, slug: EventSlug, ids: Sequence[AttendanceId]) -> Sorted:
    """Reject these RSVPs whatever their status; their seats go to the waitlist. ``restore`` undoes it.

    People invited to all dates of a series are invited to no further ones.
    """
    event = await lock_hosted(tx, caller, slug)
    gone = []
    for one in await _chosen(tx, event, ids, AttendanceAction.REMOVE):
        if one.user_id == event.author_id:
            raise Refused("You host this event. To stay away yourself, say that you are not going.", name="NotYourself")
        gone.append(await apply(tx, event, one, AttendanceAction.REMOVE, caller))
    await tell(tx, event, gone, NotificationKind.ANSWER_DECLINED)
    if gone and event.place_in_series is not None:
        await invitation_queries.end(tx, event.place_in_series.series_id, [one.user_id for one in gone])
    if gone:
        await waitlist.fill(tx, event, await registration.of_event(tx, event))
    return Sorted(removed=len(gone))


async def restore(tx: Transaction, caller: Caller, slug: EventSlug, attendance_id: AttendanceId) -> Attendance:
    """Undo a removal; where the seat is taken meanwhile, the person is first on the waitlist.

    People who were notified of the removal are notified of this, others of neither.
    """
    event = await lock_hosted(tx, caller, slug)
    mine = await _one(tx, event, attendance_id)
    if mine.status is not AttendanceStatus.REJECTED:
        return mine
    removal = await history.newest_into(tx, mine.id, AttendanceStatus.REJECTED)
    has_heard = not await notifications.take_back(tx, mine.user_id, NotificationKind.ANSWER_DECLINED, event.id)
    saved = await _back(tx, event, caller, mine, (removal and removal.before) or AttendanceStatus.DECLINED)
    comes = saved.is_seated or (saved.status is AttendanceStatus.WAITLISTED and saved.offered_until is None)
    if has_heard and comes:
        await tell(tx, event, [saved], NotificationKind.ANSWER_APPROVED)
    return saved


async def _back(
    tx: Transaction, event: Event, caller: Caller, mine: Attendance, before: AttendanceStatus
) -> Attendance:
    """Restore the earlier status; waitlisted people, and those whose seat is taken, go to the head of the waitlist."""
    joining = await registration.of_event(tx, event)
    status, first = before, None
    if before in {AttendanceStatus.ATTENDING, AttendanceStatus.ATTENDED, AttendanceStatus.WAITLISTED}:
        limits_are_kept = await save.has_room(tx, event, joining, mine, save.as_said(mine))
        if before is AttendanceStatus.WAITLISTED or not limits_are_kept:
            status, first = AttendanceStatus.WAITLISTED, await waitlist.first_number(tx, event.id) - 1
    pending_for = PendingFor.APPROVAL if status is AttendanceStatus.PENDING else None
    back = replace(mine, status=status, waitlist_number=first, pending_for=pending_for)
    saved = await queries.save(tx, back)
    await history.keep(tx, event, mine, saved, through=Through.HOST, actor_id=caller.user_id)
    await save.enqueue(tx, saved)
    await waitlist.fill(tx, event, joining)
    return await queries.by_id(tx, saved.id) or saved


async def add(
    tx: Transaction, caller: Caller, slug: EventSlug, name: str, *, party: int = 1, mode: AnswerMode | None = None
) -> Attendance:
    """Add somebody by name who accepted in another way. Raises Refused (``EventFull``), InvalidForm."""
    event = await lock_hosted(tx, caller, slug)
    shown = _checked_name(name)
    joining = await registration.of_event(tx, event)
    wide = replace(DEFAULT, max_party=max(party, joining.max_party))
    said = particulars(event, wide, None, RsvpRequest(party=party, mode=mode), is_going=False)
    room = await save.has_room(tx, event, joining, None, said)
    decided = rules.decide(
        event, joining, None, AttendanceAction.ADD, standing=Eligibility(), has_room=room, now=tx.now
    )
    user_id = await guests.make(tx, display_name=shown, email=None)
    private = replace(said, is_private=True)
    return await put(tx, event, user_id, None, decided, private, caller)


async def check_in(tx: Transaction, caller: Caller, slug: EventSlug, attendance_id: AttendanceId) -> Attendance:
    """Check somebody in, with their party; idempotent. Raises Refused (full, rejected, ``CheckInClosed``), NotFound."""
    event = await lock_hosted(tx, caller, slug)
    if event.is_cancelled or event.is_gone:
        raise Refused("This event is cancelled.", name="EventCancelled")
    mine = await _one(tx, event, attendance_id)
    if mine.status is AttendanceStatus.ATTENDED:
        return mine
    rules.must_be_checking_in(event, tx.now)
    joining = await registration.of_event(tx, event)
    room = await save.has_room(tx, event, joining, mine, save.as_said(mine))
    if mine.status is AttendanceStatus.REJECTED:
        raise Refused("You have declined this answer. Bring it back first.", name="AnswerRejected")
    rules.decide(event, joining, mine, AttendanceAction.CHECK_IN, standing=Eligibility(), has_room=room, now=tx.now)
    there = Decided(AttendanceStatus.ATTENDED)
    said = save.as_said(mine)
    if mine.status is AttendanceStatus.INVITED:
        # They came without an RSVP: they agreed neither to be listed nor to a record.
        said = replace(said, is_private=True)
    saved = await put(tx, event, mine.user_id, mine, there, said, caller)
    if save.frees(mine, saved):
        await waitlist.fill(tx, event, joining)
    return saved


async def undo_check_in(tx: Transaction, caller: Caller, slug: EventSlug, attendance_id: AttendanceId) -> Attendance:
    """Undo a mistaken check-in: restore the earlier status, also where they were only waitlisted or interested."""
    event = await lock_hosted(tx, caller, slug)
    mine = await _one(tx, event, attendance_id)
    if mine.status is not AttendanceStatus.ATTENDED:
        return mine
    arrival = await history.newest_into(tx, mine.id, AttendanceStatus.ATTENDED)
    return await _back(tx, event, caller, mine, (arrival and arrival.before) or AttendanceStatus.ATTENDING)


async def change_joining(
    tx: Transaction,
    caller: Caller,
    slug: EventSlug,
    wanted: RegistrationSettings,
    *,
    for_series: bool = False,
    expected_revision: int | None = None,
) -> RegistrationSettings:
    """Replace the registration settings of this event, or of every date of its series without settings of its own.

    RSVPs that fit now move up. ``expected_revision``: as in ``registration.revision_of``. Raises PreconditionFailed.
    """
    seen = await hosted(tx, caller, slug)
    if for_series and seen.place_in_series is not None:
        # Lock the series before its dates, as everywhere: another edit of all dates waits here.
        await hold(tx, "event_series", "id", seen.place_in_series.series_id)
    event = await lock_hosted(tx, caller, slug)
    if expected_revision is not None and expected_revision != await registration.revision_of(tx, event):
        raise PreconditionFailed("Somebody else saved these settings meanwhile.")
    if not for_series or event.place_in_series is None:
        saved = await registration.put(tx, event.id, wanted)
        await waitlist.fill(tx, event, saved)
        return saved
    await registration.forget(tx, event.id)
    saved = await registration.put(tx, event.place_in_series.series_id, wanted)
    waited_for = await waitlist.dates_with_lines(tx, event.place_in_series.series_id)
    await lock_several(tx, waited_for)
    await waitlist.fill_several(tx, await several(tx, waited_for))
    return saved


async def dates_joined_so(reader: Reader, event: Event) -> list[Event]:
    """An event and the upcoming dates of its series that have no settings of their own."""
    if event.place_in_series is None:
        return [event]
    ids = await registration.dates_without_own(reader, event.place_in_series.series_id)
    return [event, *(one for one in await several(reader, ids) if one.id != event.id)]


async def _theirs(reader: Reader, caller: Caller, event: Event | None) -> Event:
    if event is None or not await seeing.may_see(reader, event, caller.user_id, is_invited=False):
        raise NotFound("There is no such event.")
    await seeing.must_be_allowed(reader, event, caller.user_id, EventPermission.DECIDE_ANSWERS)
    return event


async def _one(tx: Transaction, event: Event, attendance_id: AttendanceId) -> Attendance:
    found = await queries.by_id(tx, attendance_id)
    if found is None or found.event_id != event.id:
        raise NotFound("There is no such answer.")
    return found


async def _chosen(
    tx: Transaction, event: Event, ids: Sequence[AttendanceId] | None, act: AttendanceAction
) -> list[Attendance]:
    """RSVPs to this event that the action changes, in order of arrival; those decided meanwhile are left out.

    Raises NotFound where a named one is not of this event.
    """
    if ids is not None and len(ids) == 1:
        await _one(tx, event, ids[0])
    statuses = [status for status in AttendanceStatus if TABLE[act][status] is not AttendanceTransition.KEEP]
    return await queries.in_order(tx, event.id, statuses, ids, limit=waitlist.MAX_AT_ONCE)


async def apply(
    tx: Transaction,
    event: Event,
    mine: Attendance,
    act: AttendanceAction,
    caller: Caller,
    *,
    has_room: bool = False,
    is_approved: bool = False,
) -> Attendance:
    decided = rules.decide(event, DEFAULT, mine, act, standing=Eligibility(), has_room=has_room, now=tx.now)
    said = save.as_said(mine)
    return await put(tx, event, mine.user_id, mine, decided, said, caller, is_approved=is_approved)


async def put(
    tx: Transaction,
    event: Event,
    user_id: UserId,
    mine: Attendance | None,
    decided: Decided,
    said: ResponseDetails,
    caller: Caller,
    *,
    is_approved: bool = False,
) -> Attendance:
    saved = await save.put(
        tx,
        event,
        user_id,
        mine,
        decided,
        said,
        source=mine.source if mine else RsvpSource.HERE,
        through=Through.HOST,
        actor_id=caller.user_id,
        answered_at=mine.answered_at if mine else tx.now,
        is_approved=is_approved,
    )
    await save.enqueue(tx, saved)
    return saved


async def tell(
    tx: Transaction,
    event: Event,
    people: Sequence[Attendance],
    kind: NotificationKind,
    *,
    more: int = 0,
    by: UserId | None = None,
) -> None:
    """Notify each of what the host decided, except hosts. ``more``: number of further dates. ``by``: who invites."""
    alike: dict[tuple[int, AttendanceStatus], list[Attendance]] = {}
    for one in people:
        alike.setdefault((one.revision, one.status), []).append(one)
    for (revision, status), some in alike.items():
        to = [one.user_id for one in some if one.user_id != event.author_id]
        sources = [event.author_id, *([by] if by else [])]
        about = NotificationDetails(more=more, answer=status.value if kind is NotificationKind.ANSWER_APPROVED else "")
        if kind is NotificationKind.ANSWER_DECLINED:
            about = _as_they_knew(event)
        await notifications.tell(tx, to, kind, event.id, revision, about, starts_at=event.starts_at, sources=sources)


def _as_they_knew(event: Event) -> NotificationDetails:
    """Title and time as the person knew them: someone who no longer sees a private event learns nothing new of it."""
    starts = None if event.starts_at is None else When(event.starts_at, event.time_zone, event.is_all_day)
    return NotificationDetails(said=event.title, starts=starts)


def _checked_name(text: str) -> str:
    name = one_line(text)
    if not name:
        raise InvalidForm({"name": "Write the name."})
    if len(name) > MAX_NAME:
        raise InvalidForm({"name": f"A name has at most {MAX_NAME} characters."})
    return name
