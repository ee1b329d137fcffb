"""Co-hosts: invite, accept, decline, leave, remove. Inviting locks the event row."""

from collections.abc import Sequence
from dataclasses import replace

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Forbidden, InvalidForm, NotFound, Refused, TooMany
from groundwork.outbox.jobs import enqueue_again
from groundwork.uuid7 import new_id
from openmeet.domain.events import co_host_queries, event_access, queries
from openmeet.domain.events.co_host_invitations import (
    INVITATION_LIFE,
    MAX_CO_HOSTS,
    MAX_MAILS_A_DAY,
    CoHost,
    CoHostId,
    CoHostState,
)
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.events.permissions import EventPermission, may
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.moderation.blocks import raise_if_blocked
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.notify import Notice, notify
from openmeet.domain.sign_in.model import check_email
from openmeet.domain.users import erasure_requests
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import Caller, User, UserId, UserKind
from openmeet.i18n.catalogue import gettext
from openmeet.outbox.emails import enqueue_email
from openmeet.outbox.kinds import JobKind

CO_HOST_MAIL = "co_host_invitation"

_GONE = EventReason.INVITATION_OVER


def invitation_label(name: str) -> str:
    """What somebody who is asked to co-host reads first: in the subject of the e-mail, and on their home page."""
    return gettext("%(name)s asks you to co-host", name=name)


async def invite(tx: Transaction, caller: Caller, slug: EventSlug, whom: str, *, for_series: bool = False) -> CoHost:
    """Invite a co-host by e-mail address, or by the handle of a person who has signed in to this site.

    With ``for_series``, they host every date of the event's series, future ones included. Raises NotFound, Forbidden,
    InvalidForm (``whom``, ``for_series``), Refused (``EventHidden``, ``TooManyHosts``, ``AlreadyHost``), TooMany.
    """
    event = await _lock(tx, caller, slug, EventPermission.CHOOSE_HOSTS)
    invitee = await _checked_invitee(tx, event, whom, for_series=for_series)
    invite_one = _by_mail if "@" in invitee else _by_handle
    return await invite_one(tx, caller, event, invitee, for_series=for_series)


async def invitee_of(reader: Reader, caller: Caller, slug: EventSlug, whom: str, *, for_series: bool = False) -> str:
    """The address or handle that ``invite`` would invite, for checks before the event is locked. Raises NotFound,
    Forbidden, InvalidForm and Refused like ``invite``.
    """
    event = await event_access.require_visible(reader, await queries.by_slug(reader, slug), caller.user_id)
    await event_access.require_permission(reader, event, caller.user_id, EventPermission.CHOOSE_HOSTS)
    invitee = await _checked_invitee(reader, event, whom, for_series=for_series)
    if "@" not in invitee:
        await _person_to_invite(reader, caller, event, invitee, for_series=for_series)
    return invitee


async def _checked_invitee(reader: Reader, event: Event, whom: str, *, for_series: bool) -> str:
    """The address or handle, if the event can have one more co-host."""
    if for_series and event.position_in_series is None:
        raise InvalidForm({"for_series": EventReason.NOT_IN_SERIES})
    if event.is_hidden:
        # Co-hosts see drafts, but only its author can open a hidden event.
        raise Refused(EventReason.HIDDEN_FROM_CO_HOSTS, name="EventHidden")
    invitee = _parse_invitee(whom)
    states = [CoHostState.INVITED, CoHostState.ACCEPTED]
    if len(await co_host_queries.of_event(reader, event.id, states)) >= MAX_CO_HOSTS:
        raise Refused(EventReason.TOO_MANY_HOSTS, name="TooManyHosts", most=MAX_CO_HOSTS)
    return invitee


def _parse_invitee(whom: str) -> str:
    """The e-mail address or handle that a host typed."""
    text = whom.strip()
    if not text:
        raise InvalidForm({"whom": EventReason.INVITEE_NEEDED})
    handle = text.lstrip("@")
    if "@" not in handle:
        return handle.lower()
    try:
        return check_email(text)
    except InvalidForm as wrong:
        raise InvalidForm({"whom": wrong.why}) from None


async def accept(tx: Transaction, caller: Caller, invitation_id: CoHostId) -> Event:
    """Accept an invitation. Idempotent.

    Raises NotFound (revoked, over, for another handle), Forbidden (for another address) and Refused (the author's own).
    """
    co_host, event = await _open(tx, caller, invitation_id)
    if event.author_id == caller.user_id:
        raise Refused(EventReason.YOU_HOST_ALREADY, name="AlreadyHost")
    if co_host.state is CoHostState.ACCEPTED and not co_host.is_open(tx.now):
        return event
    await raise_if_blocked(tx, event.author_id, caller.user_id, refusal=EventReason.CANNOT_HOST)
    earlier = await co_host_queries.of_person(tx, event.id, caller.user_id)
    if earlier is not None and earlier.id != co_host.id:
        # They were invited twice, by handle and by e-mail. Only one row may have this person's state.
        await co_host_queries.delete(tx, earlier.id)
    yes = replace(
        co_host,
        user_id=caller.user_id,
        state=CoHostState.ACCEPTED,
        decided_at=tx.now,
        is_for_series=co_host.is_for_series or co_host.is_asked_for_series,
        is_asked_for_series=False,
    )
    await co_host_queries.put(tx, yes)
    # RSVPs that they gave in other apps may have been pending until they can see the event.
    await enqueue_again(tx, JobKind.GAINED_ACCESS, [caller.user_id])
    if yes.is_for_series and event.position_in_series is not None:
        dates = await queries.lock_dates(tx, event.position_in_series.series_id)
        others = [date.id for date in dates if not (date.is_gone or date.is_over(tx.now) or date.id == event.id)]
        await co_host_queries.add_to_events(tx, [yes], others)
    await _notify_inviter(tx, event, yes, is_accepted=True, is_for_series=yes.is_for_series)
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
    co_host, event = await _open(tx, caller, invitation_id)
    if co_host.state is CoHostState.INVITED:
        await co_host_queries.put(tx, replace(co_host, state=CoHostState.DECLINED, decided_at=tx.now))
        await _notify_inviter(tx, event, co_host, is_accepted=False, is_for_series=False)
    elif co_host.is_asked_for_series:
        # They keep hosting this date.
        await co_host_queries.put(tx, replace(co_host, is_asked_for_series=False))
        await _notify_inviter(tx, event, co_host, is_accepted=False, is_for_series=True)
    return event


async def _notify_inviter(
    tx: Transaction, event: Event, co_host: CoHost, *, is_accepted: bool, is_for_series: bool
) -> None:
    """Notify the person who sent the invitation, if they still host the event. Its row is locked."""
    if not may(await event_access.role_of(tx, event, co_host.invited_by), EventPermission.SEE):
        return
    answer = event_kinds.CoHostAnswered(person_id=co_host.user_id, is_accepted=is_accepted, is_for_series=is_for_series)
    await notify(tx, event_kinds.CO_HOST_ANSWERED, Notice([co_host.invited_by], event.id, int(tx.now), answer))


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
    co_host = await co_host_queries.by_id(tx, co_host_id)
    if (
        co_host is None
        or co_host.event_id != event.id
        or co_host.state not in {CoHostState.INVITED, CoHostState.ACCEPTED}
    ):
        raise NotFound(EventReason.NO_SUCH_CO_HOST)
    await co_host_queries.put(tx, replace(co_host, state=CoHostState.REMOVED, decided_at=tx.now))
    await _end_in_series(tx, event, co_host, CoHostState.REMOVED)


async def _end_in_series(tx: Transaction, event: Event, host: CoHost, state: CoHostState) -> None:
    if host.is_for_series and host.user_id is not None and event.position_in_series is not None:
        await co_host_queries.end_in_series(tx, event.position_in_series.series_id, host.user_id, state)


async def _by_mail(tx: Transaction, caller: Caller, event: Event, email: str, *, for_series: bool) -> CoHost:
    if await co_host_queries.mailed_since(tx, event.id, Instant(tx.now - DAY)) >= MAX_MAILS_A_DAY:
        raise TooMany(EventReason.TOO_MANY_INVITATIONS, after_seconds=24 * 3600, most=MAX_MAILS_A_DAY)
    # Whether the address has a local account must not be revealed, so the row has no user before the invitation is
    # accepted.
    co_host = replace(_new(tx.now, caller.user_id, event, None, email), is_for_series=for_series)
    await co_host_queries.put(tx, co_host)
    await enqueue_email(tx, kind=CO_HOST_MAIL, person=co_host.id, subject_id=co_host.id)
    return co_host


async def _by_handle(tx: Transaction, caller: Caller, event: Event, handle: str, *, for_series: bool) -> CoHost:
    user, current = await _person_to_invite(tx, caller, event, handle, for_series=for_series)
    fresh = replace(_new(tx.now, caller.user_id, event, user.id, None), is_for_series=for_series)
    if current is None:
        co_host = fresh
    elif current.state is CoHostState.ACCEPTED:
        co_host = replace(current, invited_by=fresh.invited_by, expires_at=fresh.expires_at, is_asked_for_series=True)
    else:
        co_host = replace(fresh, id=current.id, created_at=current.created_at, email=current.email)
    await co_host_queries.put(tx, co_host)
    if user.email is not None:
        await enqueue_email(
            tx, kind=CO_HOST_MAIL, person=user.id, subject_id=co_host.id, revision=1 if current is None else int(tx.now)
        )
    return co_host


async def _person_to_invite(
    reader: Reader, caller: Caller, event: Event, handle: str, *, for_series: bool
) -> tuple[User, CoHost | None]:
    """The person with this handle, if they can be invited, and their row for the event."""
    people = [identity.user_id for identity in await identity_queries.by_handle(reader, handle)]
    user = await user_queries.by_id(reader, people[0]) if people else None
    if user is None or user.kind is UserKind.SHADOW or await erasure_requests.find(reader, user.id) is not None:
        raise InvalidForm({"whom": EventReason.UNKNOWN_HANDLE})
    await raise_if_blocked(reader, caller.user_id, user.id, refusal=EventReason.CANNOT_BE_ASKED)
    if user.id == event.author_id:
        raise Refused(EventReason.THEY_HOST_ALREADY, name="AlreadyHost")
    current = await co_host_queries.of_person(reader, event.id, user.id)
    if current is not None and current.state is CoHostState.ACCEPTED and (current.is_for_series or not for_series):
        raise Refused(EventReason.THEY_HOST_ALREADY, name="AlreadyHost")
    if current is not None and current.state is CoHostState.DECLINED:
        raise Refused(EventReason.DECLINED_TO_HOST, name="Declined")
    return user, current


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
    co_host = await co_host_queries.by_id(tx, invitation_id)
    unlocked = await queries.by_id(tx, EventId(co_host.event_id)) if co_host else None
    event = None
    if co_host is not None and unlocked is not None:
        is_for_dates = co_host.is_for_series or co_host.is_asked_for_series
        lock_first = queries.lock_series_and_dates_of if is_for_dates else queries.lock_series_of
        await lock_first(tx, unlocked.slug)
        event = await queries.lock_for_update(tx, unlocked.id)
    co_host = await co_host_queries.by_id(tx, invitation_id)
    if co_host is None or event is None or event.is_gone:
        raise NotFound(_GONE)
    has_accepted = co_host.state is CoHostState.ACCEPTED and co_host.user_id == caller.user_id
    if not (co_host.is_open(tx.now) or has_accepted):
        raise NotFound(_GONE)
    if not await is_for(tx, co_host, caller.user_id):
        if co_host.user_id is not None:
            raise NotFound(_GONE)
        raise Forbidden(EventReason.INVITATION_TO_OTHER_ADDRESS)
    return co_host, event


async def is_for(reader: Reader, host: CoHost, user_id: UserId) -> bool:
    """Whether this person is the invited person. The link alone makes nobody a host, because it might be forwarded by
    mistake.

    An invitation by e-mail requires that the address belongs to the person's account. People without an account sign up
    with that address.
    """
    if host.user_id is not None:
        return host.user_id == user_id
    user = await user_queries.by_id(reader, user_id)
    return user is not None and user.email is not None and user.email == host.email


async def _lock(tx: Transaction, caller: Caller, slug: EventSlug, act: EventPermission) -> Event:
    await queries.lock_series_of(tx, slug)
    event = await event_access.require_visible(tx, await queries.lock_by_slug(tx, slug), caller.user_id)
    await event_access.require_permission(tx, event, caller.user_id, act)
    return event
