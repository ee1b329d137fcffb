"""Co-hosts of an event: list, invite, remove. Also the page on which invited people accept or decline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, InvalidInput, NotFound, Refused, TooMany, kind_of
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from groundwork.rate_limit.contract import Limit
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance import event_hosting, reevaluation
from openmeet.domain.events import (
    co_host_queries,
    co_hosts,
    event_access,
    ownership,
    permissions,
    queries,
    time_and_place,
)
from openmeet.domain.events.co_host_invitations import CoHost, CoHostId, CoHostState, invitation_in, token_of
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.moderation.blocks import is_block_between
from openmeet.domain.page_paths import event_path
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.search.my_event_lists import events_by_ids
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import INVALID_LINK, GeneralReason
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.web.media.subject import subject_of_event
from openmeet.web.site.caller import caller_of, caller_or_none
from openmeet.web.site.faces import Avatar, Portraits, avatar_of, portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.rate_limits import refund, spend_on, spend_on_invitations
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

# By person. More than anyone mistypes, too few to find out which handles are known here.
REFUSED_INVITATIONS: Final = Limit("refused_co_host_invitations", 60, 86_400)

# The URL is a secret, so caches must not store it and search engines must not index it.
_HEADERS = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow"}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/hosts", show, methods=["GET"]),
        Route("/events/{slug}/hosts", invite, methods=["POST"]),
        Route("/events/{slug}/hosts/leave", leave, methods=["POST"]),
        Route("/events/{slug}/hosts/{co_host}/remove", remove, methods=["POST"]),
        Route("/events/{slug}/hosts/{co_host}/offer", offer, methods=["POST"]),
        Route("/events/{slug}/owner", answer_offer, methods=["POST"]),
        Route("/co-hosting/{token}", show_invitation, methods=["GET"]),
        Route("/co-hosting/{token}", answer_request, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    return await _co_hosts_page(request, EMPTY)


async def invite(request: Request) -> Response:
    caller, slug = caller_of(request), event_slug_of(request)
    form = await read_form(request)
    try:
        whom, for_series = form.get("whom", ""), bool(form.get("for_series"))
        await spend_on_co_host(request, caller, slug, whom, for_series=for_series)
        async with database_of(request).transaction() as tx:
            await co_hosts.invite(tx, caller, slug, whom, for_series=for_series)
    except InvalidForm as wrong:
        return await _co_hosts_page(request, form_with_problems(form, wrong), status=400)
    except (Refused, TooMany) as refused:
        status = kind_of(refused).http_status
        return await _co_hosts_page(request, FormState(form, {"whom": refused.why}), status=status)
    return go(f"{event_path(slug)}/hosts", flash="co_host_invited")


async def spend_on_co_host(request: Request, caller: Caller, slug: EventSlug, whom: str, *, for_series: bool) -> None:
    """Count an invitation to co-host an event, before the event is locked. Refused invitations, for example of an
    unknown handle, are counted apart. Raises TooMany, and like ``co_hosts.invitee_of``.
    """
    await spend_on(request, REFUSED_INVITATIONS, caller.user_id)
    async with database_of(request).reader() as reader:
        invitee = await co_hosts.invitee_of(reader, caller, slug, whom, for_series=for_series)
    await refund(request, REFUSED_INVITATIONS, caller.user_id)
    await spend_on_invitations(request, caller.user_id, [invitee])


async def leave(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await co_hosts.leave(tx, caller_of(request), event_slug_of(request))
    return go("/my/events", flash="co_host_left")


async def remove(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await co_hosts.remove(tx, caller_of(request), event_slug_of(request), CoHostId(request.path_params["co_host"]))
    return go(f"{event_path(event_slug_of(request))}/hosts", flash="co_host_removed")


async def offer(request: Request) -> Response:
    try:
        async with database_of(request).transaction() as tx:
            co_host = CoHostId(request.path_params["co_host"])
            await ownership.offer(tx, caller_of(request), event_slug_of(request), co_host)
    except Refused as refused:
        return await _co_hosts_page(request, FormState({}, {"": refused.why}), status=422)
    return go(f"{event_path(event_slug_of(request))}/hosts", flash="event_offered")


async def answer_offer(request: Request) -> Response:
    """Accept or decline an offer of ownership. If the current owner declines the offer, it is withdrawn."""
    caller, slug = caller_of(request), event_slug_of(request)
    decision = (await read_form(request)).get("wish", "")
    async with database_of(request).transaction() as tx:
        if decision == "yes":
            await event_hosting.take_over(tx, caller, slug)
        else:
            await ownership.drop(tx, caller, slug)
    return go(event_path(slug), flash="event_taken_over" if decision == "yes" else "offer_dropped")


async def show_invitation(request: Request) -> Response:
    caller = caller_or_none(request)
    async with database_of(request).reader() as reader:
        invitation, event = await _invitation_and_event(reader, request, caller)
        if invitation.state is CoHostState.ACCEPTED:
            return go(event_path(event.slug))
        names = await shown_names(reader, [invitation.invited_by, event.author_id])
        is_theirs = caller is not None and await co_hosts.is_for(reader, invitation, caller.user_id)
        viewer = caller.user_id if caller else None
        sees = is_theirs or await event_access.may_see(reader, event, viewer, has_rsvp_access=False)
    context = {
        "event": event,
        "title": (event.title or gettext("an event")) if sees else "",
        "is_theirs": is_theirs,
        "when": time_and_place.start_label(event) if sees else "",
        "by": names[invitation.invited_by],
        "is_signed_in": caller is not None,
        "is_for_series": invitation.is_for_series or invitation.is_asked_for_series,
        "allowed": [words for act, words in _MAY.items() if permissions.may(permissions.EventRole.CO_HOST, act)],
    }
    return page(request, "events/co_hosting.html", context, headers=_HEADERS)


async def answer_request(request: Request) -> Response:
    caller = caller_of(request)
    reply = (await read_form(request)).get("answer", "")
    if reply not in {"yes", "no"}:
        raise InvalidInput("answer", GeneralReason.CHOOSE_ONE, choices="yes, no")
    async with database_of(request).transaction() as tx:
        invitation, _ = await _invitation_and_event(tx, request, caller)
        if reply == "yes":
            event = await co_hosts.accept(tx, caller, invitation.id)
            return go(event_path(event.slug), flash="co_host_accepted")
        await co_hosts.decline(tx, caller, invitation.id)
    return go("/my/events", flash="co_host_declined")


_MAY = {
    EventPermission.EDIT: lazy("change its text, time and place"),
    EventPermission.CANCEL: lazy("cancel it or bring it back"),
    EventPermission.DECIDE_ANSWERS: lazy("decide about answers"),
    EventPermission.MESSAGE: lazy("write to everyone who answered"),
}


async def _co_hosts_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event = await event_access.require_visible(
            reader, await queries.by_slug(reader, event_slug_of(request)), caller.user_id
        )
        role = await event_access.role_of(reader, event, caller.user_id)
        permissions.require_permission(role, EventPermission.SEE)
        hosts = await co_host_queries.listed(reader, event.id)
        people = [event.author_id, *(one.user_id for one in hosts if one.user_id is not None)]
        names = await shown_names(reader, people)
        portraits = await portraits_of(reader, caller.user_id, people)
        offered = await co_host_queries.offered(reader, event.id)
        is_offered_to_me = offered is not None and offered.user_id == caller.user_id
        blocked = await reevaluation.count_blocked_people(reader, event.id, caller.user_id) if is_offered_to_me else 0
        lines = lines_of(hosts, names, portraits, reader.now, services(request).code_key, offered)
        subject = subject_of_event(event, reader.now)
    context = {
        "event": event,
        "subject": subject,
        "author": names[event.author_id],
        "author_face": avatar_of(event.author_id, names[event.author_id], portraits),
        "lines": lines,
        "public_url": services(request).settings.public_url,
        "typed": form_state,
        "may_choose": permissions.may(role, EventPermission.CHOOSE_HOSTS),
        "is_date": event.position_in_series is not None,
        "hosts_all": any(one.user_id == caller.user_id and one.is_for_series for one in hosts),
        "may_hand_over": permissions.may(role, EventPermission.HAND_OVER) and event.position_in_series is None,
        "is_offered_to_me": is_offered_to_me,
        "blocked": blocked,
        "may_leave": permissions.may(role, EventPermission.LEAVE),
    }
    return page(request, "events/co_hosts.html", context, status=status)


async def _invitation_and_event(reader: Reader, request: Request, caller: Caller | None) -> tuple[CoHost, Event]:
    """The invitation of this link if it is open, or if the caller has accepted it. Raises NotFound, Gone."""
    invitation_id = invitation_in(services(request).code_key, request.path_params["token"])
    invitation = await co_host_queries.by_id(reader, invitation_id) if invitation_id else None
    event = await queries.by_id(reader, EventId(invitation.event_id)) if invitation else None
    if invitation is not None and event is not None:
        is_theirs = caller is not None and await co_hosts.is_for(reader, invitation, caller.user_id)
        event_access.raise_if_gone(event, is_involved=is_theirs)
    if invitation is None or event is None or not (invitation.is_open(reader.now) or _has_accepted(invitation, caller)):
        raise NotFound(EventReason.INVITATION_LINK_OVER, name=INVALID_LINK)
    return invitation, event


def _has_accepted(invitation: CoHost, caller: Caller | None) -> bool:
    return caller is not None and invitation.state is CoHostState.ACCEPTED and invitation.user_id == caller.user_id


_STATE_LABELS = {
    CoHostState.INVITED: lazy("invited"),
    CoHostState.ACCEPTED: lazy("co-hosts it"),
    CoHostState.DECLINED: lazy("said no"),
    CoHostState.LEFT: lazy("left"),
    CoHostState.REMOVED: lazy("removed"),
}
_STATE_LABELS_OF_SERIES = {
    **_STATE_LABELS,
    CoHostState.INVITED: lazy("invited, every date"),
    CoHostState.ACCEPTED: lazy("co-hosts every date"),
}
_OPEN = frozenset({CoHostState.INVITED, CoHostState.ACCEPTED})


@dataclass(frozen=True, slots=True)
class HostLine:
    """One co-host or invitation. ``path`` is the page where they accept. The host can send this link to them.
    ``may_go``: they can be removed.

    ``is_offered``: ownership of the event has been offered to them.
    """

    id: str
    name: str
    face: Avatar
    words: str
    is_host: bool
    may_go: bool
    path: str
    is_offered: bool = False


def lines_of(
    hosts: Sequence[CoHost],
    names: Mapping[UserId, str],
    portraits: Portraits,
    now: Instant,
    key: SigningKey,
    offered: CoHost | None = None,
) -> list[HostLine]:
    """Co-hosts first, then invited people. ``offered`` is the person to whom ownership has been offered."""
    ordered = sorted(
        hosts, key=lambda one: (one.state is not CoHostState.ACCEPTED, one.state is not CoHostState.INVITED)
    )
    return [
        HostLine(
            one.id,
            name := names[one.user_id] if one.user_id is not None else one.email or "",
            avatar_of(one.user_id or one.id, name, portraits),
            gettext("invited, but the invitation has expired")
            if one.state is CoHostState.INVITED and not one.is_open(now)
            else gettext("co-hosts it, invited to every date")
            if one.state is CoHostState.ACCEPTED and one.is_open(now)
            else str((_STATE_LABELS_OF_SERIES if one.is_for_series else _STATE_LABELS)[one.state]),
            one.state is CoHostState.ACCEPTED,
            one.state in _OPEN,
            f"/co-hosting/{token_of(key, one.id)}" if one.is_open(now) else "",
            offered is not None and offered.id == one.id,
        )
        for one in ordered
    ]


@dataclass(frozen=True, slots=True)
class AskedToHost:
    """A co-host invitation that has not been answered yet."""

    token: str
    title: str
    by: str
    expires_at: Instant

    @property
    def path(self) -> str:
        return f"/co-hosting/{self.token}"


async def asked_of(
    reader: Reader, user_id: UserId, key: SigningKey, page: Page = ALL_ROWS
) -> tuple[list[AskedToHost], str | None]:
    """Open co-host invitations of a user, oldest first, and the next cursor."""
    read = await co_host_queries.waiting_for(reader, user_id, page)
    waiting, cursor = page.cut(read, lambda one: (one.created_at, one.id))
    # Blocked users cannot send e-mails to this person either.
    invitations = [one for one in waiting if not await is_block_between(reader, one.invited_by, user_id)]
    events = await events_by_ids(reader, [EventId(one.event_id) for one in invitations])
    names = await shown_names(reader, [one.invited_by for one in invitations])
    offers = [
        AskedToHost(token_of(key, one.id), event.title or gettext("an event"), names[one.invited_by], one.expires_at)
        for one in invitations
        if (event := events.get(EventId(one.event_id))) is not None and not event.is_gone
    ]
    return offers, cursor
