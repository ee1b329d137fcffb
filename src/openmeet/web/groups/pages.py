"""Group pages: the list, one group, join and leave, follow, events and feeds."""

from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, InvalidInput
from groundwork.http.forms import EMPTY, FormState, form_with_problems, local_path, read_form
from openmeet.domain.groups import actions, membership_queries, queries
from openmeet.domain.groups.model import GroupId, GroupRole
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.page_paths import group_path
from openmeet.domain.search import group_event_lists, my_event_lists, query
from openmeet.domain.search.group_event_lists import between_in_group, past_in_group, shown_in_group
from openmeet.domain.search.my_event_lists import position_of
from openmeet.domain.slugs import LinkKind
from openmeet.domain.validation import GeneralReason
from openmeet.i18n import formatting
from openmeet.recurrence.wall_time import local_of
from openmeet.web.calendar_layout import month_view
from openmeet.web.events import feeds, new_links
from openmeet.web.groups import feeds as group_feed
from openmeet.web.groups import view
from openmeet.web.groups.feeds import calendar_file, calendar_url_for
from openmeet.web.groups.viewed_group import (
    ViewedGroup,
    context_of,
    redirect_to_current_slug,
    view_group,
    view_group_as_stranger,
)
from openmeet.web.site import viewing_as
from openmeet.web.site.caller import caller_of, caller_or_none, viewer_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.site.viewer import OtherViewer

PAGE_SIZE = 30
MAX_IN_A_MONTH = 500
MAX_QUERY = 200

_JOINED = {GroupRole.PENDING: "group_asked"}


def routes() -> list[Route]:
    """Routes of the pages and files of groups. ``{slug}.ics`` comes before ``{slug}``, which would match it."""
    return [
        Route("/groups", show_groups, methods=["GET"]),
        Route("/groups/{slug}.ics", serve_calendar, methods=["GET"]),
        Route("/groups/{slug}.atom", serve_atom, methods=["GET"]),
        Route("/groups/{slug}.json", serve_json, methods=["GET"]),
        Route("/groups/{slug}", show_group, methods=["GET"]),
        Route("/groups/{slug}/events", show_events, methods=["GET"]),
        Route("/groups/{slug}/join", join, methods=["POST"]),
        Route("/groups/{slug}/leave", leave, methods=["POST"]),
        Route("/groups/{slug}/follow", follow, methods=["POST"]),
        Route("/groups/{slug}/notifications", switch_notifications, methods=["POST"]),
    ]


async def show_groups(request: Request) -> Response:
    is_mine = request.query_params.get("which") == "mine"
    words = request.query_params.get("q", "").strip()[:MAX_QUERY]
    viewer = caller_of(request).user_id if is_mine else viewer_of(request)
    source = query.source_or_none(request.query_params.get("source", ""))
    async with database_of(request).reader() as reader:
        if is_mine and viewer is not None:
            groups = await membership_queries.of_user(reader, viewer, limit=view.MAX_OF_ONE)
            followed = await membership_queries.followed_by(reader, viewer, limit=view.MAX_OF_ONE)
        else:
            # An invalid cursor starts at the beginning.
            after = await actions.position_in_lists(reader, GroupId(request.query_params.get("after", "")), viewer)
            groups = await membership_queries.listed(
                reader,
                words.split(),
                viewer,
                after=after,
                limit=PAGE_SIZE + 1,
                asks_all=source is not None,
                is_created_here=query.created_here_filter(source),
            )
            followed = []
        nexts = await group_event_lists.next_of_groups(reader, [one.group.id for one in (*groups, *followed)], viewer)
        shown = await view.badges_of(reader, [*groups, *followed], services(request).settings.public_url)
    more = ""
    if not is_mine and len(groups) > PAGE_SIZE:
        parameters = {name: text for name, text in (("q", words), ("source", source or "")) if text}
        more = "/groups?" + urlencode({**parameters, "after": groups[PAGE_SIZE - 1].group.id})
        groups = groups[:PAGE_SIZE]
    context = {
        "found": view.cards_of(groups, nexts, shown),
        "followed": view.cards_of(followed, nexts, shown),
        "words": words,
        "source": source or "",
        "more": more,
        "is_mine": is_mine,
        "is_later": bool(request.query_params.get("after")),
    }
    return page(request, "groups/groups.html", context)


async def show_group(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        if await queries.by_slug(reader, group_slug_of(request)) is None:
            return await new_links.follow(reader, LinkKind.GROUP, group_slug_of(request), viewer_of(request))
        seen = await view_group(reader, request)
        moved = redirect_to_current_slug(request, seen.group)
        if moved is not None:
            return moved
        if viewing_as.requested_role(request) is OtherViewer.STRANGER and seen.may(GroupPermission.SEE_LOG):
            viewing_as.become_stranger(request, seen.path)
            seen = await view_group(reader, request)
        context = await view.group_context(reader, seen, EMPTY, services(request).settings.public_url)
    return page(request, "groups/group.html", context)


async def show_events(request: Request) -> Response:
    is_month = request.query_params.get("view") == "month"
    is_past = request.query_params.get("view") == "past"
    position = my_event_lists.unpack(request.query_params.get("after", ""))
    async with database_of(request).reader() as reader:
        seen = await view_group(reader, request)
        moved = redirect_to_current_slug(request, seen.group)
        if moved is not None:
            return moved
        context = context_of(seen, f"{seen.path}/events") | {
            "view": "month" if is_month else "past" if is_past else "list",
            "can_make": seen.may(GroupPermission.CREATE_EVENT),
            "days": [],
            "more": "",
            "month": None,
            "is_later": position is not None,
            "has_feed": group_feed_is_open(seen),
            "is_member": seen.member is not None,
            "own_feed": None
            if seen.member is None
            else await calendar_url_for(reader, request, seen.group, seen.member),
        }
        if is_month:
            context["month"] = await _month_view(reader, request, seen)
        else:
            reading = past_in_group if is_past else shown_in_group
            events = await reading(reader, seen.group.id, position, PAGE_SIZE + 1, member=seen.member)
            context["days"] = await view.days_of(
                reader,
                seen,
                events[:PAGE_SIZE],
                services(request).settings.public_url,
                once_per_series=not is_past,
            )
            if len(events) > PAGE_SIZE:
                parameters = {"view": "past"} if is_past else {}
                cursor = my_event_lists.pack(position_of(events[PAGE_SIZE - 1]))
                context["more"] = f"{seen.path}/events?" + urlencode({**parameters, "after": cursor})
    return page(request, "groups/group_events.html", context)


async def _month_view(reader: Reader, request: Request, seen: ViewedGroup) -> object:
    zone = seen.group.details.time_zone
    today = local_of(reader.now, zone).date()
    first = month_view.first_of(request.query_params.get("month", ""), today)
    first_weekday = formatting.first_weekday(zone)
    start, end = month_view.bounds_of(first, first_weekday)
    events = await between_in_group(reader, seen.group.id, start, end, MAX_IN_A_MONTH, member=seen.member)
    return month_view.month_of(first, today, first_weekday, view.entries_of(seen.group, events))


def group_feed_is_open(seen: ViewedGroup) -> bool:
    """Whether the group's feeds can be read without signing in, as feed readers do."""
    return seen.group.details.visibility.value != "private"


async def serve_calendar(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        seen = await view_group(reader, request)
        moved = redirect_to_current_slug(request, seen.group)
        if moved is not None:
            return moved
        file, changed = await calendar_file(
            reader,
            seen.group,
            services(request).settings.public_url,
            member=seen.member,
            runs=seen.may(GroupPermission.EDIT_ANY_EVENT),
        )
    return feeds.feed_response(
        request,
        file,
        feeds.CALENDAR,
        changed,
        f"{quote(seen.group.slug)}.ics",
        is_shared=seen.member is None,
        varies=True,
    )


async def serve_atom(request: Request) -> Response:
    return await _news_feed(request, "atom")


async def serve_json(request: Request) -> Response:
    return await _news_feed(request, "json")


async def _news_feed(request: Request, kind: str) -> Response:
    """The newest events in the public view, because feed readers have no session and republish what they read."""
    async with database_of(request).reader() as reader:
        group = await view_group_as_stranger(reader, request)
        moved = redirect_to_current_slug(request, group)
        if moved is not None:
            return moved
        events = await group_event_lists.newest_in_group(reader, group.id, group_feed.NEWEST, member=None)
        changed = feeds.changed_at(events, reader.now, group.updated_at)
    public_url = services(request).settings.public_url
    feed = group_feed.feed_of(group, public_url, kind)
    return feeds.served_as(request, kind, feed, events, public_url, changed)


async def join(request: Request) -> Response:
    caller = caller_or_none(request)
    if caller is None:
        return go(f"/sign-in?next={quote(group_path(group_slug_of(request)), safe='')}")
    form = await read_form(request)
    try:
        async with database_of(request).transaction() as tx:
            membership = await actions.join(tx, caller, group_slug_of(request), form.get("answer", ""))
            group, _ = await actions.visible(tx, group_slug_of(request), caller.user_id)
    except InvalidForm as wrong:
        return await _page_with_errors(request, form_with_problems(form, wrong))
    return go(group_path(group.slug), flash=_JOINED.get(membership.role, "group_joined"))


async def _page_with_errors(request: Request, form_state: FormState) -> Response:
    async with database_of(request).reader() as reader:
        context = await view.group_context(
            reader, await view_group(reader, request), form_state, services(request).settings.public_url
        )
    return page(request, "groups/group.html", context, status=400)


async def leave(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        group, before = await actions.visible(tx, group_slug_of(request), caller.user_id)
        await actions.leave(tx, caller, group.slug)
    was_asking = before is not None and before.role is GroupRole.PENDING
    is_seen = group.details.visibility.value != "private"
    return go(
        group_path(group.slug) if is_seen else "/groups?which=mine",
        flash="group_unasked" if was_asking else "group_left",
    )


async def follow(request: Request) -> Response:
    """Follow or unfollow. ``next`` is the page to return to, by default the group's."""
    caller, form = caller_or_none(request), await read_form(request)
    back = local_path(form.get("next", ""), group_path(group_slug_of(request)))
    if caller is None:
        return go(f"/sign-in?next={quote(back, safe='')}")
    choice = form.get("follow", "")
    if choice not in {"yes", "no"}:
        raise InvalidInput("follow", GeneralReason.CHOOSE_ONE, choices="yes, no")
    async with database_of(request).transaction() as tx:
        group, _ = await actions.visible(tx, group_slug_of(request), caller.user_id)
        if choice == "yes":
            await actions.follow(tx, caller, group.slug)
        else:
            await actions.unfollow(tx, caller, group.slug)
    return go(back, flash="group_followed" if choice == "yes" else "group_unfollowed")


async def switch_notifications(request: Request) -> Response:
    caller = caller_of(request)
    choice = (await read_form(request)).get("notifications", "")
    if choice not in {"on", "off"}:
        raise InvalidInput("notifications", GeneralReason.CHOOSE_ONE, choices="on, off")
    async with database_of(request).transaction() as tx:
        await actions.set_notifications(tx, caller, group_slug_of(request), enabled=choice == "on")
        group, _ = await actions.visible(tx, group_slug_of(request), caller.user_id)
    return go(group_path(group.slug), flash="group_loud" if choice == "on" else "group_quiet")
