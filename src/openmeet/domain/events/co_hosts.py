"""Co-hosts: invite, accept, decline, leave, remove. Inviting locks the event row."""

from collections.abc import Sequence
from dataclasses import replace

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Forbidden, InvalidForm, NotFound, Refused, TooMany
from groundwork.outbox.jobs import enqueue
from groundwork.uuid7 import new_id
from openmeet.domain.events import co_host_queries, queries, seeing
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.events.permissions import (
    INVITATION_LIFE,
    MAX_CO_HOSTS,
    MAX_MAILS_A_DAY,
    CoHost,
    CoHostId,
    CoHostState,
    EventPermission,
)
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.identities import queries as identities
from openmeet.domain.moderation.blocks import raise_if_blocked
from openmeet.domain.sign_in.model import check_email
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import Caller, UserId, UserKind
from openmeet.outbox.emails import enqueue_email
from openmeet.outbox.kinds import JobKind

CO_HOST_MAIL = "co_host_invitation"

_GONE = EventReason.INVITATION_OVER


async def invite(tx: Transaction, caller: Caller, slug: EventSlug, whom: str, *, for_series: bool = False) -> CoHost:
    """Invite a co-host by e-mail address, or by the handle of a person who has signed in to this site.

    With ``for_series``, they host every date of the event's series, future ones included. Raises NotFound, Forbidden,
    InvalidForm (``whom``, ``for_series``), Refused (``TooManyHosts``, ``AlreadyHost``), TooMany.
    """
    event = await _lock(tx, caller, slug, EventPermission.CHOOSE_HOSTS)
    if for_series and event.place_in_series is None:
        raise InvalidForm({"for_series": EventReason.NOT_A_DATE})
    text = whom.strip()
    if not text:
        raise InvalidForm({"whom": EventReason.INVITEE_NEEDED})
    states = [CoHostState.INVITED, CoHostState.ACCEPTED]
    if len(await co_host_queries.of_event(tx, event.id, states)) >= MAX_CO_HOSTS:
        raise Refused(EventReason.TOO_MANY_HOSTS, name="TooManyHosts", most=MAX_CO_HOSTS)
    if "@" in text.lstrip("@"):
        return await _by_mail(tx, caller, event, text, for_series=for_series)
    return await _by_handle(tx, caller, event, text.removeprefix("@").lower(), for_series=for_series)


async def accept(tx: Transaction, caller: Caller, invitation_id: CoHostId) -> Event:
    """Accept an invitation. Idempotent.

    Raises NotFound (revoked, over, for another handle), Forbidden (for another address) and Refused (the author's own).
    """
    one, event = await _open(tx, caller, invitation_id)
    if event.author_id == caller.user_id:
        raise Refused(EventReason.YOU_HOST_ALREADY, name="AlreadyHost")
    if one.state is CoHostState.ACCEPTED and not one.is_open(tx.now):
        return event
    await raise_if_blocked(tx, event.author_id, caller.user_id, refusal=EventReason.CANNOT_HOST)
    earlier = await co_host_queries.of_person(tx, event.id, caller.user_id)
    if earlier is not None and earlier.id != one.id:
        # They were invited twice, by handle and by e-mail. Only one row may have this person's state.
        await co_host_queries.delete(tx, earlier.id)
    yes = replace(
        one,
        user_id=caller.user_id,
        state=CoHostState.ACCEPTED,
        decided_at=tx.now,
        is_for_series=one.is_for_series or one.is_asked_for_series,
        is_asked_for_series=False,
    )
    await co_host_queries.put(tx, yes)
    # RSVPs that they gave in other apps may have been pending until they can see the event.
    await enqueue(tx, JobKind.WAITING_ANSWERS, caller.user_id, int(tx.now))
    if yes.is_for_series and event.place_in_series is not None:
        dates = await queries.lock_dates(tx, event.place_in_series.series_id)
        others = [date.id for date in dates if not (date.is_gone or date.is_over(tx.now) or date.id == event.id)]
        await co_host_queries.add_to_events(tx, [yes], others)
    return event


async def host_new_dates(tx: Transaction, series_id: str, dates: Sequence[Event]) -> None:
    """Make co-hosts of the whole series co-hosts of its new dates. The series row is locked."""
    if dates:
        hosts = [one for one in await co_host_queries.of_series(tx, series_id) if one.user_id != dates[0].author_id]
        await co_host_queries.add_to_events(tx, hosts, [date.id for date in dates])


async def move_to_dates(tx: Transaction, draft: Event, dates: Sequence[Event]) -> None:
    """Make the co-hosts of a draft co-hosts of all dates of the series made from it. Open invitations are for all dates
    too, and their links stay valid.
    """
    await co_host_queries.move_to_series(tx, draft.id, dates[0].id)
    hosts = await co_host_queries.of_event(tx, dates[0].id, [CoHostState.ACCEPTED])
    await co_host_queries.add_to_events(tx, hosts, [date.id for date in dates[1:]])


async def decline(tx: Transaction, caller: Caller, invitation_id: CoHostId) -> Event:
    """Decline an invitation. Raises NotFound, Forbidden (for another address)."""
    one, event = await _open(tx, caller, invitation_id)
    if one.state is CoHostState.INVITED:
        await co_host_queries.put(tx, replace(one, state=CoHostState.DECLINED, decided_at=tx.now))
    elif one.is_asked_for_series:
        # They keep hosting this date.
        await co_host_queries.put(tx, replace(one, is_asked_for_series=False))
    return event


async def leave(tx: Transaction, caller: Caller, slug: EventSlug) -> None:
    """Stop co-hosting. Co-hosts of the whole series leave all its dates. Raises NotFound, Forbidden."""
    event = await _lock(tx, caller, slug, EventPermission.LEAVE)
    co_host = await co_host_queries.of_person(tx, event.id, caller.user_id)
    if co_host is None:
        raise Forbidden(EventReason.NOT_A_HOST)
    await co_host_queries.put(tx, replace(co_host, state=CoHostState.LEFT, decided_at=tx.now))
    await _end_in_series(tx, event, co_host, CoHostState.LEFT)


async def remove(tx: Transaction, caller: Caller, slug: EventSlug, co_host_id: CoHostId) -> None:
    """Revoke an invitation or remove a co-host. If it was for all dates, it ends for all. Raises NotFound, Forbidden."""
    event = await _lock(tx, caller, slug, EventPermission.CHOOSE_HOSTS)
    one = await co_host_queries.by_id(tx, co_host_id)
    if one is None or one.event_id != event.id or one.state not in {CoHostState.INVITED, CoHostState.ACCEPTED}:
        raise NotFound(EventReason.NO_SUCH_CO_HOST)
    await co_host_queries.put(tx, replace(one, state=CoHostState.REMOVED, decided_at=tx.now))
    await _end_in_series(tx, event, one, CoHostState.REMOVED)


async def _end_in_series(tx: Transaction, event: Event, one: CoHost, state: CoHostState) -> None:
    if one.is_for_series and one.user_id is not None and event.place_in_series is not None:
        await co_host_queries.end_in_series(tx, event.place_in_series.series_id, one.user_id, state)


async def _by_mail(tx: Transaction, caller: Caller, event: Event, text: str, *, for_series: bool) -> CoHost:
    try:
        email = check_email(text)
    except InvalidForm as wrong:
        raise InvalidForm({"whom": wrong.why}) from None
    if await co_host_queries.mailed_since(tx, event.id, Instant(tx.now - DAY)) >= MAX_MAILS_A_DAY:
        raise TooMany(EventReason.TOO_MANY_INVITATIONS, after_seconds=24 * 3600, most=MAX_MAILS_A_DAY)
    # Whether the address has a local account must not be revealed, so the row has no user before the invitation is
    # accepted.
    one = replace(_new(tx.now, caller.user_id, event, None, email), is_for_series=for_series)
    await co_host_queries.put(tx, one)
    await enqueue_email(tx, kind=CO_HOST_MAIL, person=one.id, subject_id=one.id)
    return one


async def _by_handle(tx: Transaction, caller: Caller, event: Event, handle: str, *, for_series: bool) -> CoHost:
    people = [one.user_id for one in await identities.by_handle(tx, handle)]
    user = await users.by_id(tx, people[0]) if people else None
    if user is None or user.kind is UserKind.SHADOW:
        raise InvalidForm({"whom": EventReason.UNKNOWN_HANDLE})
    await raise_if_blocked(tx, caller.user_id, user.id, refusal=EventReason.CANNOT_BE_ASKED)
    if user.id == event.author_id:
        raise Refused(EventReason.THEY_HOST_ALREADY, name="AlreadyHost")
    current = await co_host_queries.of_person(tx, event.id, user.id)
    if current is not None and current.state is CoHostState.ACCEPTED and (current.is_for_series or not for_series):
        raise Refused(EventReason.THEY_HOST_ALREADY, name="AlreadyHost")
    if current is not None and current.state is CoHostState.DECLINED:
        raise Refused(EventReason.DECLINED_TO_HOST, name="Declined")
    fresh = replace(_new(tx.now, caller.user_id, event, user.id, None), is_for_series=for_series)
    if current is None:
        one = fresh
    elif current.state is CoHostState.ACCEPTED:
        one = replace(current, invited_by=fresh.invited_by, expires_at=fresh.expires_at, is_asked_for_series=True)
    else:
        one = replace(fresh, id=current.id, created_at=current.created_at, email=current.email)
    await co_host_queries.put(tx, one)
    if user.email is not None:
        await enqueue_email(
            tx, kind=CO_HOST_MAIL, person=user.id, subject_id=one.id, revision=1 if current is None else int(tx.now)
        )
    return one


def _new(now: Instant, by: UserId, event: Event, user_id: UserId | None, email: str | None) -> CoHost:
    return CoHost(
        id=CoHostId(new_id(now)),
        event_id=event.id,
        user_id=user_id,
        email=email,
        state=CoHostState.INVITED,
        invited_by=by,
        created_at=now,
        expires_at=Instant(now + INVITATION_LIFE),
        decided_at=None,
    )


async def _open(tx: Transaction, caller: Caller, invitation_id: CoHostId) -> tuple[CoHost, Event]:
    one = await co_host_queries.by_id(tx, invitation_id)
    unlocked = await queries.by_id(tx, EventId(one.event_id)) if one else None
    event = None
    if unlocked is not None:
        await queries.lock_series_of(tx, unlocked.slug)
        event = await queries.lock_for_update(tx, unlocked.id)
    one = await co_host_queries.by_id(tx, invitation_id)
    if one is None or event is None or event.is_gone:
        raise NotFound(_GONE)
    is_said = one.state is CoHostState.ACCEPTED and one.user_id == caller.user_id
    if not (one.is_open(tx.now) or is_said):
        raise NotFound(_GONE)
    if not await is_for(tx, one, caller.user_id):
        if one.user_id is not None:
            raise NotFound(_GONE)
        raise Forbidden(EventReason.INVITATION_TO_OTHER_ADDRESS)
    return one, event


async def is_for(reader: Reader, one: CoHost, user_id: UserId) -> bool:
    """Whether this person is the invited person. The link alone makes nobody a host, because it might be forwarded by
    mistake.

    An invitation by e-mail requires that the address belongs to the person's account. People without an account sign up
    with that address.
    """
    if one.user_id is not None:
        return one.user_id == user_id
    user = await users.by_id(reader, user_id)
    return user is not None and user.email is not None and user.email == one.email


async def _lock(tx: Transaction, caller: Caller, slug: EventSlug, act: EventPermission) -> Event:
    await queries.lock_series_of(tx, slug)
    event = await seeing.require_visible(tx, await queries.lock_by_slug(tx, slug), caller.user_id)
    await seeing.require_permission(tx, event, caller.user_id, act)
    return event
