"""Page of a series, its calendar file and feeds, and the URLs of dates that are not stored yet."""

from collections.abc import Mapping
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput, NotFound
from openmeet.domain.attendance import answer_texts, registration
from openmeet.domain.attendance.answer_bar import AnswerBarInput
from openmeet.domain.attendance.answer_bar_inputs import bar_inputs_of
from openmeet.domain.attendance.moved_dates import moved_dates_if_several
from openmeet.domain.attendance.visibility import seen_by
from openmeet.domain.calendars.queries import zone_of_person
from openmeet.domain.chat.preview import may_enter_chat_of_series
from openmeet.domain.covers.model import cover_for, tone_for
from openmeet.domain.events import event_access
from openmeet.domain.events.model import EventId
from openmeet.domain.events.publication import PublishLevel, reach
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.groups.model import Group
from openmeet.domain.identities.queries import consent, shown_names
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.moderation import labels, visibility
from openmeet.domain.moderation.model import ModerationStatus
from openmeet.domain.page_paths import event_path, group_path, series_path
from openmeet.domain.photos import access as photo_access
from openmeet.domain.series import (
    actions,
    agenda,
    calendar_uids,
    date_queries,
    follower_queries,
    materialize,
    ownership,
    queries,
    splits,
)
from openmeet.domain.series import undo as undoing
from openmeet.domain.series.agenda import AgendaOccurrence
from openmeet.domain.series.dates import checked_name
from openmeet.domain.series.model import Series, SeriesStatus
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.slugs import LinkKind
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting, languages
from openmeet.recurrence.pattern import parse_date
from openmeet.recurrence.wall_time import instant_of
from openmeet.web.events import answer_view, badges, feeds, new_links
from openmeet.web.events.answer_view import AnswerBarView, PageFacts
from openmeet.web.events.host_rows import host_rows
from openmeet.web.events.link_preview import card_of_series
from openmeet.web.events.series_context import date_path, when_label
from openmeet.web.events.view import category_links, directions_url_of, join_url_of, paths_of_hosts
from openmeet.web.series import feeds as series_feed
from openmeet.web.series import view
from openmeet.web.site import viewing_as
from openmeet.web.site.caller import caller_or_none, viewer_of
from openmeet.web.site.faces import avatar_of, portraits_of
from openmeet.web.site.layout import page
from openmeet.web.site.services import services
from openmeet.web.site.slugs import series_slug_of
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.site.viewer import OtherViewer

# Dates on the first page of a series, and on the pages of later dates.
SHOWN_FIRST = 6
SHOWN = 12
PAST_SHOWN = 20
FOLLOWED = 50

_AS_LONG_AS_ANYTHING = Instant(100 * 366 * DAY)


def routes() -> list[Route]:
    return [
        Route("/series/{slug}.ics", serve_calendar, methods=["GET"]),
        Route("/series/{slug}.atom", serve_atom, methods=["GET"]),
        Route("/series/{slug}.json", serve_json, methods=["GET"]),
        Route("/series/{slug}", show_series, methods=["GET"]),
        Route("/series/{slug}/dates/{original_date}", open_date, methods=["GET"]),
    ]


async def show_series(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        viewer = await _viewer(reader, request)
        if await queries.by_slug(reader, series_slug_of(request)) is None:
            return await new_links.follow(reader, LinkKind.SERIES, series_slug_of(request), viewer)
        series = await agenda.visible(reader, series_slug_of(request), viewer)
        upcoming = await agenda.coming(reader, series, viewer, limit=SHOWN + 1)
        group = await _visible_group(reader, series, viewer)
        context = (
            await _dates_context(reader, request, series, viewer, upcoming, group)
            | await _people_context(reader, series, viewer, group, is_listed=bool(upcoming))
            | await _hosting_context(reader, series, viewer)
            | {
                "public_url": services(request).settings.public_url,
                "group": group,
                "cover": cover_for(series.content),
                "tone": tone_for(series.content),
                "text_language": languages.marked_as(
                    series.content.title, series.content.description, spoken=series.content.languages
                ),
                "categories": category_links(series.content),
                "badges": (await badges.of_each_series(reader, [series], services(request).settings.public_url))[0],
                # Detected among single events and not confirmed by their author.
                "is_inferred": series.is_read_only and series.record_uri is None,
                "may_enter_chat": await may_enter_chat_of_series(reader, series.id, viewer),
                "asks_to_publish": await _asks_to_publish(reader, request, series, viewer),
                **await _halves_context(reader, series, viewer),
            }
        )
    return page(request, "series/series.html", context)


async def _dates_context(
    reader: Reader,
    request: Request,
    series: Series,
    viewer: UserId | None,
    upcoming: list[AgendaOccurrence],
    group: Group | None,
) -> dict[str, object]:
    """The dates, and the viewer's answers to them. ``upcoming`` are the next dates, more than the first page shows."""
    start = _page_start(request, series)
    lines = upcoming
    if start is not None:
        end = Instant(start + _AS_LONG_AS_ANYTHING)
        lines = await agenda.between(reader, series, viewer, start, end, limit=SHOWN + 1)
    past = await agenda.past(reader, series, viewer, limit=PAST_SHOWN)
    standing_rsvp = None if viewer is None else await follower_queries.standing_rsvp_of(reader, series.id, viewer)
    limits_new = await date_queries.limits_new_dates(reader, series)
    soonest = view.next_of(upcoming)
    bar_inputs = await _bar_inputs(reader, [*lines[:SHOWN], *([] if soonest is None else [soonest])], viewer)
    covers_all = None if limits_new and standing_rsvp and not standing_rsvp.with_limited else standing_rsvp
    offers_all = soonest is not None and standing_rsvp is None and series.status is not SeriesStatus.CANCELLED
    bar, is_hosting = None, False
    if soonest is not None and soonest.event is not None:
        bar_input = bar_inputs[soonest.event.id]
        bar, is_hosting = await _bar_of(reader, series, soonest, bar_input, viewer, group), bar_input.is_hosting
        offers_all = offers_all and bar_input.is_welcome
    more, shown = "", SHOWN_FIRST if start is None else SHOWN
    if len(lines) > shown:
        more = f"{series_path(series.slug)}?from={formatting.iso(lines[shown].details.starts_at)}#dates"
    zone = services(request).settings.time_zone
    return view.series_context(
        series,
        upcoming[:SHOWN],
        zone=zone if viewer is None else await zone_of_person(reader, viewer, zone),
        now=reader.now,
        is_host=viewer == series.owner_id,
        limited_ids=await registration.limited_among(reader, [line.event for line in upcoming if line.event]),
        limits_new=limits_new,
    ) | {
        "rows": view.rows_of(series, lines[:shown], reader.now, covers_all, bar_inputs),
        "past": view.rows_of(series, past, reader.now),
        "more": more,
        "is_later": start is not None,
        "unread_day": request.query_params.get("from", "") if start is None else "",
        "soonest": soonest,
        "soonest_when": when_label(soonest) if soonest else "",
        "next_row": view.rows_of(series, [soonest], reader.now)[0] if soonest else None,
        "next_iso": formatting.iso(soonest.details.starts_at) if soonest and not soonest.details.is_all_day else "",
        "soonest_path": date_path(series, soonest) if soonest else "",
        "offers_all": offers_all,
        "is_hosting": is_hosting,
        "bar": view.beside_all_dates(bar) if bar and offers_all and not is_hosting else bar,
        "bar_sentence": view.sentence_beside_date(bar, soonest.rsvp) if bar and soonest else "",
        # The host sees suggested next steps until somebody else follows the series or answers a date.
        "is_fresh": viewer == series.owner_id
        and soonest is not None
        and series.status is SeriesStatus.ACTIVE
        and not (series.is_hidden or series.is_read_only)
        and not await follower_queries.has_audience(reader, series.id, series.owner_id),
        "following": None if viewer is None else await follower_queries.following(reader, series.id, viewer),
        "standing_rsvp": standing_rsvp,
        **await _moved_context(reader, series, viewer),
        "my_dates": None if viewer is None else (await date_queries.of_series(reader, [series.id], viewer))[series.id],
    }


async def _moved_context(reader: Reader, series: Series, viewer: UserId | None) -> dict[str, object]:
    """The dates that were moved since the viewer answered, if there are several. A single one is marked in the list."""
    moved = None if viewer is None else await moved_dates_if_several(reader, viewer, series.id)
    return {"moved": moved, "confirm_all_label": answer_texts.confirm_all_label(moved.count) if moved else ""}


async def _bar_inputs(
    reader: Reader, lines: list[AgendaOccurrence], viewer: UserId | None
) -> Mapping[EventId, AnswerBarInput]:
    """The input of the answer bar of each stored date on the page."""
    stored = list(
        {line.event.id: line.event for line in lines if line.event is not None and not line.event.is_cancelled}.values()
    )
    return await bar_inputs_of(
        reader,
        stored,
        viewer,
        own_rsvps={line.event.id: line.rsvp for line in lines if line.event is not None and line.rsvp is not None},
        counts={line.event.id: line.counts for line in lines if line.event is not None},
        hosted=await event_access.managed_among(reader, stored, viewer),
    )


async def _bar_of(
    reader: Reader,
    series: Series,
    soonest: AgendaOccurrence,
    bar_input: AnswerBarInput,
    viewer: UserId | None,
    group: Group | None,
) -> AnswerBarView:
    """The answer bar of the next date, as on its own page. Its hosts edit the series with it."""
    event, rsvp = bar_input.event, bar_input.rsvp
    is_going = rsvp is not None and rsvp.is_seated
    private = await event_access.private_details_for(reader, event, viewer, is_going=is_going)
    may_edit = not series.is_read_only and await agenda.may_edit(reader, series, viewer)
    sees_photos = is_going and (await photo_access.access_to(reader, event, viewer, rsvp)).sees_all
    facts = PageFacts(
        host=(await shown_names(reader, [event.author_id]))[event.author_id],
        counts=soonest.counts,
        is_hosting=bar_input.is_hosting,
        join_url=join_url_of(event, private),
        directions_url=directions_url_of(event, private),
        edit_path=f"{series_path(series.slug)}/edit" if may_edit else "",
        group_path=group_path(group.slug) if group is not None else "",
        next_path="",
        photos_path=f"{event_path(event.slug)}/photos" if sees_photos else "",
    )
    return await answer_view.bar_view_of(reader, bar_input, facts)


async def _people_context(
    reader: Reader, series: Series, viewer: UserId | None, group: Group | None, *, is_listed: bool
) -> dict[str, object]:
    """The host and the group, and whether the series is offered to the viewer. ``is_listed`` is True if the series has
    upcoming dates.
    """
    host = series.owner_id
    names = await shown_names(reader, [host])
    portraits = await portraits_of(reader, viewer, [host])
    offer = await ownership.offered(reader, series.id) if viewer else None
    is_public = series.visibility is Visibility.PUBLIC and not series.is_hidden and is_listed
    paths = await paths_of_hosts(reader, [host], is_public=is_public)
    return {
        "host": names[host],
        # The preview image of links, if it is not the uploaded picture.
        "card": await card_of_series(reader, series, names[host])
        if series.visibility is Visibility.PUBLIC and series.content.picture is None
        else None,
        "host_path": paths[host],
        "host_face": avatar_of(host, names[host], portraits),
        "host_rows": []
        if host == viewer
        else await host_rows(reader, viewer, [host], group, paths=paths, names=names, portraits=portraits),
        "is_offered_to_me": offer is not None and offer.to_id == viewer,
    }


async def _hosting_context(reader: Reader, series: Series, viewer: UserId | None) -> dict[str, object]:
    """The actions and details that only hosts see."""
    can_edit = not series.is_read_only and await agenda.may_edit(reader, series, viewer)
    undo = await undoing.open_undo(reader, series) if can_edit else None
    has_record = can_edit and series.record_uri is not None
    return {
        "can_edit": can_edit,
        "can_end": not series.is_read_only and await agenda.may_host(reader, series, viewer),
        "undo": None if undo is None else view.undo_of(undo, series),
        "waits": can_edit and await _waits_for_its_owner(reader, series),
        "merged": await merge_decisions.count(reader, series.record_uri or "") if has_record else 0,
        "kept_back": await _kept_back(reader, series) if can_edit else None,
        "labelled": await labels.hiding(reader, None, series.owner_id) if can_edit and series.is_hidden else [],
    }


async def _halves_context(reader: Reader, series: Series, viewer: UserId | None) -> dict[str, object]:
    """The series from which this one was split, and the series that were split from it."""
    split = None if series.split_from is None else await queries.by_id(reader, series.split_from)
    behind = await splits.visible_continuations(reader, series, viewer)
    standing = (
        [] if viewer is None else [await follower_queries.standing_rsvp_of(reader, one.id, viewer) for one in behind]
    )
    return {
        "origin": await splits.visible_part(reader, series, split, viewer),
        "behind": behind,
        "adds_dates": await materialize.has_dates_to_store(reader, series),
        "goes_on_for_me": any(standing),
    }


async def _viewer(reader: Reader, request: Request) -> UserId | None:
    """The viewer, or None if a host wants to see the page as an anonymous visitor."""
    caller = caller_or_none(request)
    if caller is not None and viewing_as.requested_role(request) is OtherViewer.STRANGER:
        series = await queries.by_slug(reader, series_slug_of(request))
        if series is not None and await agenda.may_host(reader, series, caller.user_id):
            viewing_as.become_stranger(request, series_path(series.slug))
            return None
    return None if caller is None else caller.user_id


async def _visible_group(reader: Reader, series: Series, viewer: UserId | None) -> Group | None:
    """The group of the series, if the viewer may see it."""
    if series.group is None:
        return None
    group = await group_queries.by_id(reader, series.group.id)
    role = await group_queries.role_in(reader, series.group.id, viewer)
    return group if group is not None and group_rules.may_see(group, role) else None


async def _kept_back(reader: Reader, series: Series) -> ModerationStatus | None:
    """The series' moderation status, for its hosts, if moderation hides the series from others."""
    if not series.is_hidden:
        return None
    subject_ids = [
        one for one in (series.id, series.group.id if series.group else None, series.owner_id) if one is not None
    ]
    statuses = await visibility.statuses_of(reader, subject_ids)
    return next(
        (statuses[one] for one in subject_ids if one in statuses and statuses[one].state.hides),
        None,
    )


async def _asks_to_publish(reader: Reader, request: Request, series: Series, viewer: UserId | None) -> bool:
    """Whether the host has not decided about publishing yet."""
    if viewer != series.owner_id or series.visibility is not Visibility.PUBLIC or series.is_read_only:
        return False
    is_on = series.status is not SeriesStatus.CANCELLED and services(request).asks_to_publish
    return is_on and (await consent(reader, series.owner_id)).answered_at is None


async def _waits_for_its_owner(reader: Reader, series: Series) -> bool:
    """Whether the owner's repository has, or would get, a version without a co-host's edit."""
    is_out = reach(series.content.visibility, series.group, series.record_settings) is not PublishLevel.NOTHING
    return series.needs_author_approval and is_out and (await consent(reader, series.owner_id)).is_given


async def open_date(request: Request) -> Response:
    """The page of a date. Opening it stores the date. This is the documented exception to "GET writes nothing"."""
    name = checked_name(request.path_params["original_date"])
    async with database_of(request).transaction() as tx:
        event = await actions.open_date(tx, series_slug_of(request), name, viewer=viewer_of(request))
    event_access.raise_if_gone(event)
    return RedirectResponse(event_path(event.slug), 303)


async def serve_calendar(request: Request) -> Response:
    viewer = viewer_of(request)
    async with database_of(request).reader() as reader:
        series = await agenda.visible(reader, series_slug_of(request), viewer)
        if not series_feed.may_be_read(series, is_host=viewer == series.owner_id):
            raise NotFound(SeriesReason.NO_SUCH_SERIES)
        parts = [
            (one, [held.event for held in await date_queries.stored(reader, one.id)])
            for one in await splits.with_continuations(reader, series, viewer)
            if series_feed.may_be_read(one, is_host=viewer == one.owner_id)
        ]
        stored = [event for _, dates in parts for event in dates]
        seen = await seen_by(reader, stored, viewer)
        # Do not disclose when a hidden date was changed.
        listed = [event for event in stored if event.id in seen]
        identities = await calendar_uids.identities(reader, [event.id for event in listed])
        file = series_feed.calendar_of(parts, seen, identities, reader.now, services(request).settings.public_url)
        changed = feeds.changed_at(listed, reader.now, max(one.updated_at for one, _ in parts))
    return feeds.feed_response(
        request, file, feeds.CALENDAR, changed, f"{quote(series.slug)}.ics", is_shared=viewer is None, varies=True
    )


async def serve_atom(request: Request) -> Response:
    return await _news_feed(request, "atom")


async def serve_json(request: Request) -> Response:
    return await _news_feed(request, "json")


async def _news_feed(request: Request, kind: str) -> Response:
    """The next stored dates, always in the public view. Dates that are not stored yet have no content to report."""
    async with database_of(request).reader() as reader:
        series = await agenda.visible(reader, series_slug_of(request), None)
        parts = await splits.with_continuations(reader, series, None)
        lines = [line for one in parts for line in await agenda.coming(reader, one, None, limit=FOLLOWED)]
        lines.sort(key=lambda line: (line.details.starts_at, line.original_date))
        events = [line.event for line in lines if line.event is not None][:FOLLOWED]
        since = max(one.updated_at for one in parts)
        changed = feeds.changed_at(events, reader.now, since)
    public_url = services(request).settings.public_url
    feed = series_feed.feed_of(series, public_url, kind, since)
    return feeds.served_as(request, kind, feed, events, public_url, changed)


def _page_start(request: Request, series: Series) -> Instant | None:
    """The instant at which a page of later dates starts. None for the next dates."""
    text = request.query_params.get("from", "")
    if not text:
        return None
    try:
        return instant_of(parse_date(text, series.zone_name), series.zone_name)
    except InvalidInput:
        return None
