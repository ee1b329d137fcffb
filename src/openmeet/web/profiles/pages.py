"""Profile page of a host, its calendar file and feeds, and the follow button."""

from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from groundwork.http.forms import local_path, read_form
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.page_paths import person_path
from openmeet.domain.profiles import actions, queries
from openmeet.domain.series import calendar_uids
from openmeet.domain.series.feed_queries import WholeSeries, listable_series, with_stored_dates
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import User, UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext
from openmeet.web.events import feeds
from openmeet.web.events.feeds import Feed
from openmeet.web.events.link_preview import SHOWN_OF_HOST, card_of_person, hosting_label
from openmeet.web.events.listing import CardList, facts_of, further_dates, grouped_by_day, with_days
from openmeet.web.series import feeds as series_feed
from openmeet.web.site.caller import caller_of, caller_or_none, viewer_of
from openmeet.web.site.faces import avatar_of, portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

PAST: Final = 10
GROUPS: Final = 50
# Feed limits, the same as for groups.
_MAX_FEED_EVENTS: Final = 500
_NEWEST: Final = 50


def routes() -> list[Route]:
    return [
        Route("/people/{userId}.ics", serve_calendar, methods=["GET"]),
        Route("/people/{userId}.atom", serve_atom, methods=["GET"]),
        Route("/people/{userId}.json", serve_json, methods=["GET"]),
        Route("/people/{userId}", show, methods=["GET"]),
        Route("/people/{userId}/follow", follow, methods=["POST"]),
        Route("/my/people", show_followed, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    viewer = viewer_of(request)
    async with database_of(request).reader() as reader:
        person, is_seen = await _visible_host(reader, _user_id(request), viewer)
        upcoming = await queries.upcoming_without_repeats(reader, person.id, SHOWN_OF_HOST)
        further = await further_dates(reader, upcoming)
        past = await queries.past_events(reader, person.id, PAST)
        groups = await queries.public_groups(reader, person.id, GROUPS) if person.shows_groups else []
        follows = viewer is not None and await queries.is_following(reader, viewer, person.id)
        name = (await shown_names(reader, [person.id]))[person.id]
        facts = await facts_of(
            reader,
            [*upcoming, *past],
            CardList(services(request).settings.public_url, viewer, further=further, is_hosting=viewer == person.id),
        )
        portraits = await portraits_of(reader, viewer, [person.id])
        hosting = hosting_label(len(upcoming))
        card = await card_of_person(reader, person.id, name, hosting) if is_seen else None
        now = reader.now
    context = {
        "name": name,
        "address": person_path(person.id),
        "about": person.bio if person.shows_about else "",
        "hosting": hosting,
        "card": card,
        "coming": with_days(grouped_by_day(upcoming, facts, now)),
        "past": with_days(grouped_by_day(past, facts, now)),
        "groups": groups,
        "is_seen": is_seen,
        "face": (face := avatar_of(person.id, name, portraits)),
        "tone": face.tone,
        "is_me": viewer == person.id,
        "follows": follows,
    }
    return page(request, "profiles/person.html", context)


async def follow(request: Request) -> Response:
    """Follow or unfollow. ``next`` is the page to return to, by default the profile."""
    caller, person, form = caller_or_none(request), _user_id(request), await read_form(request)
    choice, next_path, back = form.get("follow", "yes"), form.get("next", ""), person_path(person)
    if caller is None:
        return go(f"/sign-in?next={quote(local_path(next_path, back), safe='')}")
    async with database_of(request).transaction() as tx:
        if choice == "no":
            await actions.unfollow(tx, caller, person)
            if await queries.host(tx, person) is None:
                back = "/my/people"
        else:
            await actions.follow(tx, caller, person)
    return go(local_path(next_path, back), flash="person_unfollowed" if choice == "no" else "person_followed")


async def show_followed(request: Request) -> Response:
    """People whom the caller follows. Only the caller can see the list."""
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        user_ids = [person for person, _ in await queries.followed_by(reader, caller.user_id)]
        hosts = {one.id for one in await queries.hosts_among(reader, user_ids)}
        names = await shown_names(reader, sorted(hosts))
        portraits = await portraits_of(reader, caller.user_id, hosts)
    # Do not name hosts who no longer have a public profile. They can still be unfollowed.
    people = [
        (one, names[one], person_path(one), avatar_of(one, names[one], portraits))
        if one in hosts
        else (one, "", "", None)
        for one in user_ids
    ]
    return page(request, "profiles/followed.html", {"people": people})


async def serve_calendar(request: Request) -> Response:
    public_url = services(request).settings.public_url
    async with database_of(request).reader() as reader:
        person = await actions.visible_profile(reader, _user_id(request))
        since = Instant(reader.now - feeds.KEPT_AFTER_END)
        series = await _whole_series(reader, person.id, since)
        events = await queries.events_since(
            reader, person.id, since, _MAX_FEED_EVENTS, besides=[one.series.id for one in series]
        )
        listed = [*events, *(event for one in series for event in one.shown)]
        changed = feeds.changed_at(listed, reader.now, max((one.series.updated_at for one in series), default=None))
        feed = await _feed_of(reader, person, public_url, "ics")
        identities = await calendar_uids.identities(reader, [event.id for event in listed])
        entries = [entry for one in series for entry in series_feed.entries_of(one, identities, reader.now, public_url)]
    file = feeds.calendar_of(feed, events, identities, public_url, entries)
    return feeds.feed_response(request, file, feeds.CALENDAR, changed, "events.ics", is_shared=True)


async def serve_atom(request: Request) -> Response:
    feed, events, public_url, changed = await _feed_content(request, "atom")
    return feeds.served_as(request, "atom", feed, events, public_url, changed)


async def serve_json(request: Request) -> Response:
    feed, events, public_url, changed = await _feed_content(request, "json")
    return feeds.served_as(request, "json", feed, events, public_url, changed)


async def _feed_content(request: Request, kind: str) -> tuple[Feed, list[Event], str, Instant]:
    """A host's public events, as an anonymous visitor sees them."""
    public_url = services(request).settings.public_url
    async with database_of(request).reader() as reader:
        person = await actions.visible_profile(reader, _user_id(request))
        events = await queries.upcoming_events(reader, person.id, _NEWEST)
        changed = feeds.changed_at(events, reader.now)
        feed = await _feed_of(reader, person, public_url, kind)
    return feed, events, public_url, changed


async def _feed_of(reader: Reader, person: User, public_url: str, kind: str) -> Feed:
    name = (await shown_names(reader, [person.id]))[person.id]
    address = f"{public_url}{person_path(person.id)}"
    return Feed(gettext("Events by %(name)s", name=name), f"urn:uuid:{person.id}", address, f"{address}.{kind}")


async def _whole_series(reader: Reader, user_id: UserId, since: Instant) -> list[WholeSeries]:
    """The host's public series, with their public dates from ``events_since`` onward."""
    seen, values = queries.seen_of_host(user_id)
    visible_series = [
        one
        for one in await listable_series(reader, "user_id", user_id, seen, values)
        if one.visibility is Visibility.PUBLIC and not one.is_hidden and not one.is_read_only
    ]
    return await with_stored_dates(reader, visible_series, since, seen, values)


async def _visible_host(reader: Reader, user_id: UserId, viewer: UserId | None) -> tuple[User, bool]:
    """The host, and whether other people can see the profile. The host can always see it. Raises NotFound."""
    user = await queries.host(reader, user_id)
    if user is not None:
        return user, True
    own_user = await user_queries.by_id(reader, user_id) if user_id == viewer else None
    if own_user is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    return own_user, False


def _user_id(request: Request) -> UserId:
    return UserId(request.path_params["userId"])
