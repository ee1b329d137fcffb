"""The event page."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import (
    answer_texts,
    attendee_list,
    host_decisions,
    host_list,
    registration,
    rsvp_list_texts,
)
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.answer_bar import AnswerState
from openmeet.domain.attendance.approval_undo import ApprovalBatch, count_unchanged
from openmeet.domain.attendance.attendee_summary import counts_shown, places_left
from openmeet.domain.attendance.model import (
    ATTENDEE_STATUSES,
    SEATED_STATUSES,
    Attendance,
    AttendanceId,
    AttendanceStatus,
    RsvpCounts,
    RsvpReply,
    RsvpSource,
)
from openmeet.domain.attendance.moved_dates import moved_dates_if_several
from openmeet.domain.attendance.proofs import refusal_of_proof
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.attendance.rules import rsvp_gives_access
from openmeet.domain.calendars.queries import zone_of_person
from openmeet.domain.check_in import tickets
from openmeet.domain.events import co_host_queries, event_access
from openmeet.domain.events.event_access import raise_if_gone
from openmeet.domain.events.model import Event
from openmeet.domain.events.publication import is_announced
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import NOT_ASKED
from openmeet.domain.identities.queries import consent, shown_names
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.moderation import labels, visibility
from openmeet.domain.moderation.model import ModerationStatus
from openmeet.domain.page_paths import event_path, group_path
from openmeet.domain.photos.access import access_with_role
from openmeet.domain.photos.model import PhotoAccess
from openmeet.domain.photos.queries import count_shown
from openmeet.domain.search import suggestions
from openmeet.domain.series import follower_queries
from openmeet.domain.series.model import SeriesId
from openmeet.domain.slugs import LinkKind
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext
from openmeet.network.ingestion.record_pictures import picture_of
from openmeet.outbox import publication_status, publications
from openmeet.web.attendance import view as attendance_view
from openmeet.web.attendance.forms import fields_now
from openmeet.web.attendance.view import oldest_join_requests
from openmeet.web.events import answer_view, badges, link_preview, listing, new_links, view
from openmeet.web.events.answer_view import PageFacts, sharing_line_of, sharing_of
from openmeet.web.events.chat_preview import chat_preview
from openmeet.web.events.host_rows import host_rows
from openmeet.web.events.link_preview import card_of_event
from openmeet.web.events.listing import CardList, EventCard, facts_of
from openmeet.web.events.publication_view import answer_sync, event_sync
from openmeet.web.events.series_context import SeriesContext, series_context_of
from openmeet.web.events.view import EventPeople, EventViewer, RequestedReply, conflicts_of, paths_of_hosts
from openmeet.web.media.pages import record_picture
from openmeet.web.search import map_pages
from openmeet.web.site import viewing_as
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.errors import error_picture
from openmeet.web.site.faces import portraits_of
from openmeet.web.site.layout import page
from openmeet.web.site.page_streams import fingerprint_of
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.site.viewer import OtherViewer

MAX_RELATED = 3


@dataclass(frozen=True, slots=True)
class RelatedEvent:
    """An event similar to the one on the page."""

    card: EventCard
    day: str


@dataclass(frozen=True, slots=True)
class PhotosOfEvent:
    """How many photos the viewer may see, and the path of their page. Unless ``sees_all``, they are the viewer's own."""

    number: int
    path: str
    sees_all: bool


def routes() -> list[Route]:
    return [
        Route("/events/{slug}", show_event, methods=["GET"]),
    ]


async def show_event(request: Request) -> Response:
    slug = event_slug_of(request)
    async with database_of(request).reader() as reader:
        event = await by_slug(reader, slug)
        own_rsvp = None
        if event is not None and (other := viewing_as.requested_role(request)):
            own_rsvp = await _view_as(reader, request, event, other)
        caller = caller_or_none(request)
        if event is not None and caller is not None and own_rsvp is None:
            own_rsvp = await attendance_queries.find(reader, event.id, caller.user_id)
        viewer = caller.user_id if caller else None
        if event is not None and event.is_hidden and event.author_id != viewer:
            return _unavailable_page(request, event)
        if event is None:
            return await new_links.follow(reader, LinkKind.EVENT, slug, viewer)
        if not await event_access.may_see(reader, event, viewer, has_rsvp_access=rsvp_gives_access(own_rsvp)):
            if not is_announced(event):
                raise NotFound(GeneralReason.NO_SUCH_EVENT)
            return await _announced_event_page(reader, request, event, viewer)
        raise_if_gone(event, is_involved=viewer is not None and (own_rsvp is not None or event.author_id == viewer))
        context = await _event_context(reader, request, event, caller, own_rsvp)
    return page(request, "events/event.html", context)


async def _view_as(reader: Reader, request: Request, event: Event, other: OtherViewer) -> Attendance | None:
    """If the viewer is a host, continue the request as somebody else. Returns the RSVP of an imaginary attendee who is
    going, if that is the chosen role. Nothing is stored.

    Does nothing for viewers who do not host the event.
    """
    back = event_path(event.slug)
    if not await host_decisions.may_host(reader, event, caller_or_none(request)):
        return None
    if other is OtherViewer.STRANGER:
        viewing_as.become_stranger(request, back, has_attendee_view=True)
        return None
    attendee = Caller(UserId(new_id(reader.now)), gettext("A guest"))
    viewing_as.become_attendee(request, attendee, back)
    return Attendance(
        AttendanceId(new_id(reader.now)),
        event.id,
        attendee.user_id,
        AttendanceStatus.ATTENDING,
        waitlist_number=None,
        source=RsvpSource.HERE,
        revision=1,
        record_uri=None,
        created_at=reader.now,
        answered_at=reader.now,
        approved_at=reader.now,
    )


async def _event_context(
    reader: Reader, request: Request, event: Event, caller: Caller | None, own_rsvp: Attendance | None
) -> dict[str, object]:
    event_registration = await registration.registration_of(reader, event)
    viewer = await _viewer_of(reader, request, event, caller, own_rsvp)
    people = await _people_of(reader, event_registration, viewer)
    series = await series_context_of(reader, event, viewer.user_id)
    context = view.event_context(event_registration, viewer, people, _requested_reply(request), reader.now)
    context |= await _sharing_context(reader, request, event, viewer, people)
    from_record = await picture_of(reader, event) if services(request).record_pictures is not None else None
    if from_record is not None:
        context["picture"] = record_picture(event_path(event.slug), from_record)
    is_seen_by_all = event.visibility is Visibility.PUBLIC and not (event.is_held or event.is_hidden)
    hosts = [event.author_id, *people.co_host_ids]
    paths = await paths_of_hosts(reader, hosts, is_public=is_seen_by_all)
    says_no = own_rsvp is not None and own_rsvp.status is AttendanceStatus.DECLINED
    public_url = services(request).settings.public_url
    photos = await _photos_of(reader, event, viewer)
    bar = await answer_view.page_answer_bar(
        reader,
        event_registration,
        own_rsvp,
        viewer.user_id,
        PageFacts(
            host=people.names[event.author_id],
            counts=people.counts,
            is_hosting=viewer.is_hosting,
            join_url=str(context["join_url"]),
            directions_url=str(context["directions_url"]),
            edit_path=_edit_path(event, series, context) if context["can_edit"] else "",
            group_path=group_path(viewer.group.slug) if viewer.group is not None else "",
            next_path=series.next_open.path if series is not None and series.next_open is not None else "",
            photos_path=photos.path if photos is not None and photos.sees_all else "",
            next_when=series.next_open.when if series is not None and series.next_open is not None else "",
        ),
        requested_reply=request.query_params.get("reply", ""),
    )
    return (
        context
        | await _sync_context(reader, event, caller, own_rsvp)
        | await _hosting_context(reader, event_registration, viewer, people.counts)
        | await _approved_context(request, reader, event, viewer)
        | {
            "series": series,
            "chat": await chat_preview(reader, event, viewer.user_id, hosts),
            "suggests_following": await _suggests_following(reader, event, own_rsvp) if series else False,
            "meanwhile": [] if says_no else await conflicts_of(reader, event, viewer.user_id),
            "bar": bar,
            "undo": context["undo"] if context["undo"] in bar.replies else "",
            # The page of the record is only for people who may edit the event.
            "sync_path": f"{event_path(event.slug)}/merged" if context["can_edit"] else "",
            "photos": photos,
            **await _moved_context(reader, event, viewer.user_id, bar.state),
            "places_left": places_left(event, people.counts),
            "offers_proof": own_rsvp is not None and refusal_of_proof(event, own_rsvp.status, reader.now) is None,
            "related": [] if viewer.is_hosting else await _related_events(reader, request, event, viewer.user_id),
            "asks_to_publish": services(request).asks_to_publish,
            "is_offered_to_me": await _is_offered_to(reader, event, people, viewer.user_id),
            "kept_back": await _kept_back(reader, event),
            "labelled": await labels.hiding(reader, event.record_uri, event.author_id) if event.is_hidden else [],
            "host_path": paths[event.author_id],
            "host_rows": []
            if viewer.is_hosting or context["can_edit"]
            else await host_rows(
                reader,
                viewer.user_id,
                hosts,
                viewer.group,
                paths=paths,
                names=people.names,
                portraits=people.portraits,
            ),
            "badges": [*bar.badges, *(() if event.is_draft else await badges.of_event(reader, event, public_url))],
            "co_host_paths": [paths[user_id] for user_id in people.co_host_ids],
            "place_map": map_pages.of_event(request, event, viewer.private.place),
        }
    )


async def _approved_context(request: Request, reader: Reader, event: Event, viewer: EventViewer) -> dict[str, object]:
    """What the viewer has just approved on this page as a host, so that the flash message can offer to undo it."""
    batch = ApprovalBatch.parse(request.query_params.get("approved", ""))
    number = 0
    if viewer.is_hosting and viewer.user_id is not None:
        number = await count_unchanged(reader, event, viewer.user_id, batch)
    return {"approved": batch, "approved_number": number}


async def _is_offered_to(reader: Reader, event: Event, people: EventPeople, viewer: UserId | None) -> bool:
    """Whether the owner would like to hand the event over to this viewer, who is a co-host."""
    if viewer is None or viewer not in people.co_host_ids:
        return False
    offered = await co_host_queries.offered(reader, event.id)
    return offered is not None and offered.user_id == viewer


async def _viewer_of(
    reader: Reader, request: Request, event: Event, caller: Caller | None, own_rsvp: Attendance | None
) -> EventViewer:
    user_id = caller.user_id if caller else None
    zone = services(request).settings.time_zone
    group = await group_queries.by_id(reader, event.group.id) if event.group else None
    role_in_group = await group_queries.role_in(reader, event.group.id, user_id) if event.group else None
    return EventViewer(
        caller,
        own_rsvp,
        role=await event_access.role_of(reader, event, user_id),
        is_hosting=await host_decisions.may_host(reader, event, caller),
        private=await event_access.private_details_for(
            reader, event, user_id, is_going=own_rsvp is not None and own_rsvp.status in SEATED_STATUSES
        ),
        # An invited attendee may be allowed to see the event but not its group.
        group=group if group is not None and group_rules.may_see(group, role_in_group) else None,
        zone=zone if user_id is None else await zone_of_person(reader, user_id, zone),
    )


async def _people_of(reader: Reader, event_registration: EventRegistration, viewer: EventViewer) -> EventPeople:
    event = event_registration.event
    counts = (await counts_shown(reader, [event.id]))[event.id]
    attendees = await attendee_list.attendees(
        reader,
        event.id,
        ATTENDEE_STATUSES,
        limit=view.SHOWN_PEOPLE,
        viewer=viewer.user_id,
        for_hosts=viewer.is_hosting,
    )
    co_hosts = (await co_host_queries.shown_co_hosts(reader, [event.id])).get(event.id, [])
    shown_people = [event.author_id, *co_hosts, *(one.user_id for one in attendees)]
    names = await shown_names(reader, shown_people)
    portraits = await portraits_of(reader, viewer.user_id, shown_people)
    fields = await fields_now(reader, event_registration, viewer.own_rsvp)
    return EventPeople(counts, attendees, co_hosts, names, portraits, fields)


def _requested_reply(request: Request) -> RequestedReply:
    """The replies in the URL; others are ignored."""
    reply, undo = request.query_params.get("reply", ""), request.query_params.get("undo", "")
    return RequestedReply(reply if reply in set(RsvpReply) else "", undo if undo in set(RsvpReply) else "")


async def _photos_of(reader: Reader, event: Event, viewer: EventViewer) -> PhotosOfEvent | None:
    """What the page says about photos of the event; None if the viewer may see none."""
    access = await access_with_role(reader, event, viewer.user_id, viewer.own_rsvp, viewer.role)
    if viewer.user_id is None or access is PhotoAccess.NONE:
        return None
    number = await count_shown(reader, event.id, viewer.user_id, access)
    return PhotosOfEvent(number, f"{event_path(event.slug)}/photos", access.sees_all)


async def _sharing_context(
    reader: Reader,
    request: Request,
    event: Event,
    viewer: EventViewer,
    people: EventPeople,
) -> dict[str, object]:
    """The URL of the event, the metadata for search engines and other sites, and the first steps after creation."""
    public_url = services(request).settings.public_url
    # Only the viewer's own RSVP has been loaded so far.
    own_rsvp_id = viewer.own_rsvp.id if viewer.own_rsvp else None
    nobody_else = not await attendance_queries.has_rsvps(reader, event.id, except_id=own_rsvp_id)
    is_host = viewer.user_id == event.author_id
    return {
        "may_unpublish": not event.is_draft and nobody_else and viewer.own_rsvp is None,
        # The host sees suggested next steps until somebody else has answered.
        "is_fresh": is_host
        and view.takes_answers(event, reader.now)
        and nobody_else
        and not (event.is_hidden or event.is_held),
        "live_state": fingerprint_of(services(request).code_key, event, people.counts) if viewer.caller else "",
        "address": f"{public_url}{event_path(event.slug)}",
        "public_url": public_url,
        "card": await card_of_event(reader, event, people.names[event.author_id]),
        "json_ld": link_preview.json_ld(event, people.names[event.author_id], public_url),
    }


async def _hosting_context(
    reader: Reader,
    event_registration: EventRegistration,
    viewer: EventViewer,
    counts: RsvpCounts,
) -> dict[str, object]:
    """What only hosts see: open requests, the latest changes, and who has confirmed a new time."""
    event = event_registration.event
    if not viewer.is_hosting or viewer.caller is None:
        return {"asking": [], "lately": [], "new_time": "", "checked_in": 0}
    lately = []
    if not event.is_draft:
        changes = await attendance_view.changes_since_yesterday(reader, [event.id], event.time_zone)
        lately = attendance_view.change_labels(changes, counts.pending_people)
    return {
        "checked_in": (await tickets.counts(reader, event.id)).there if event.is_over(reader.now) else 0,
        "asking": await oldest_join_requests(reader, [event], viewer.caller.user_id, event_registration)
        if counts.pending_people and not event.is_cancelled
        else [],
        "lately": lately,
        "new_time": rsvp_list_texts.new_time_sentence(
            counts.going, await host_list.count_new_time_unconfirmed(reader, event)
        )
        if view.takes_answers(event, reader.now)
        else "",
    }


async def _moved_context(reader: Reader, event: Event, viewer: UserId | None, state: AnswerState) -> dict[str, object]:
    """The moved dates of the event's series that the viewer is asked about, if there are several."""
    position = event.position_in_series if state is AnswerState.MOVED else None
    moved = (
        None if viewer is None or position is None else await moved_dates_if_several(reader, viewer, position.series_id)
    )
    return {"moved": moved, "confirm_all_label": answer_texts.confirm_all_label(moved.count) if moved else ""}


def _edit_path(event: Event, series: SeriesContext | None, context: Mapping[str, object]) -> str:
    return series.edit_path if series is not None and context["is_host"] else f"{event_path(event.slug)}/edit"


async def _suggests_following(reader: Reader, event: Event, own_rsvp: Attendance | None) -> bool:
    """Whether to suggest following the series, which happens after somebody's first RSVP to one of its dates."""
    position = event.position_in_series
    if (
        position is None
        or own_rsvp is None
        or own_rsvp.status in {AttendanceStatus.DECLINED, AttendanceStatus.REJECTED}
    ):
        return False
    return await follower_queries.suggests(reader, SeriesId(position.series_id), own_rsvp.user_id)


async def _kept_back(reader: Reader, event: Event) -> ModerationStatus | None:
    """The event's moderation status, for its host, if moderation hides the event from others."""
    if not event.is_hidden:
        return None
    place, group = event.position_in_series, event.group
    named = (event.id, place.series_id if place else None, group.id if group else None, event.author_id)
    statuses = await visibility.statuses_of(reader, [one for one in named if one is not None])
    return next((statuses[one] for one in named if one in statuses and statuses[one].state.hides), None)


async def _sync_context(
    reader: Reader, event: Event, caller: Caller | None, own_rsvp: Attendance | None
) -> dict[str, object]:
    """Publication status chips, for the viewer's own records only."""
    sync_of_event = sync_of_answer = published = holder = None
    merged = 0
    has_public_record = False
    agreement = NOT_ASKED if caller is None else await consent(reader, caller.user_id)
    has_agreed = agreement.is_given
    if caller is not None and caller.user_id == event.author_id:
        statuses = await publication_status.statuses(reader, publications.PublicationKind.EVENT, [event.id])
        sync_of_event = event_sync(event, statuses[event.id], reader.now, has_agreed=has_agreed)
        holder = None if event.record_did is None else await identity_queries.find(reader, event.record_did)
        merged = 0 if event.record_uri is None else await merge_decisions.count(reader, event.record_uri)
        is_narrower = event.has_foreign_record and event.visibility is not Visibility.PUBLIC
        has_public_record = is_narrower and not statuses[event.id].is_withdrawn
    if own_rsvp is not None:
        published = (await publication_status.statuses(reader, publications.PublicationKind.RSVP, [own_rsvp.id]))[
            own_rsvp.id
        ]
        # Of a person who declined or has not answered, only what other apps can see matters.
        is_coming = own_rsvp.status not in {AttendanceStatus.DECLINED, AttendanceStatus.INVITED}
        if is_coming or published.uri or own_rsvp.record_uri:
            wants = has_agreed and (await publishing_preferences.of_user(reader, own_rsvp.user_id)).writes_answers
            sync_of_answer = answer_sync(own_rsvp, event, published, reader.now, has_agreed=wants)
    sharing = None
    if caller is not None:
        uris = () if own_rsvp is None or published is None else (own_rsvp.record_uri, published.uri)
        has_record = any(uri is not None for uri in uris)
        answer_sharing = await sharing_of(reader, event, own_rsvp, caller.user_id, agreement, has_record=has_record)
        sharing = sharing_line_of(answer_sharing, sync_of_answer)
    return {
        "event_sync": sync_of_event,
        "record_account": "" if holder is None else holder.handle,
        "answer_sync": sync_of_answer,
        "sharing": sharing,
        "merged": merged,
        "has_public_record": has_public_record,
        "is_unanswered": agreement.answered_at is None,
    }


async def _announced_event_page(reader: Reader, request: Request, event: Event, viewer: UserId | None) -> Response:
    """Page for visitors with the link to an announced event: the content of its public record, and how to get access."""
    group = await group_queries.by_id(reader, event.group.id) if event.group else None
    role = await group_queries.role_in(reader, event.group.id, viewer) if event.group else None
    context = view.date_words_of(event, reader.now) | {
        "event": event,
        "group": group if group is not None and group_rules.may_see(group, role) else None,
    }
    return page(request, "events/announced.html", context)


async def _related_events(reader: Reader, request: Request, event: Event, viewer: UserId | None) -> list[RelatedEvent]:
    """Events similar to a public one. Empty if the event is not visible to everyone."""
    if event.visibility is not Visibility.PUBLIC or event.is_held or event.is_hidden or event.is_gone:
        return []
    events = await suggestions.related(reader, event, viewer, MAX_RELATED)
    facts = await facts_of(reader, events, CardList(services(request).settings.public_url, viewer)) if events else None
    return (
        []
        if facts is None
        else [RelatedEvent(listing.card_of(one, facts), listing.day_in_row(one, reader.now)) for one in events]
    )


def _unavailable_page(request: Request, event: Event) -> Response:
    """The page for an event whose author's account is inactive, or that is withheld. The event may return, so the
    status is not 410, and the page discloses nothing.
    """
    if event.visibility is not Visibility.PUBLIC or event.is_gone or event.is_held:
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    return page(request, "events/away.html", {"picture": error_picture(404)}, status=404)
