"""Resolve a URL of this site or a record URI to an event, series or group.

Absent, hidden and inaccessible objects all give the same error.
"""

from urllib.parse import unquote, urlsplit

from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import normal_uri, parse_at_uri
from groundwork.database.transaction import Reader
from groundwork.errors import Gone, NotFound
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.rules import rsvp_gives_access
from openmeet.domain.events import event_access, event_records
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.groups.model import Group, GroupRole, GroupSlug
from openmeet.domain.groups.record_queries import by_any_record
from openmeet.domain.page_paths import event_path, group_path, series_path
from openmeet.domain.series import queries
from openmeet.domain.series import visibility as series_visibility
from openmeet.domain.series.model import Series, SeriesSlug
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.web.site.reasons import SiteReason
from openmeet.web.xrpc.call import LexiconCall, Query
from openmeet.web.xrpc.reasons import XrpcReason
from openmeet.web.xrpc.schemas import Resolved

_RECORD = "at://"


async def event_at(call: LexiconCall, parameter: str) -> Event:
    """The event that a parameter names by URL or record URI, if the caller may see it. Raises NotFound
    (``EventNotFound``).
    """
    event = await find_event(call.reader, call.text(parameter), call.viewer, call.public_url)
    if event is None:
        raise NotFound(GeneralReason.NO_SUCH_EVENT, name="EventNotFound")
    return event


async def series_at(call: LexiconCall, parameter: str) -> Series:
    """The series that a parameter names, like ``event_at``. Raises NotFound (``SeriesNotFound``)."""
    series = await find_series(call.reader, call.text(parameter), call.viewer, call.public_url)
    if series is None:
        raise NotFound(XrpcReason.NO_SUCH_SERIES, name="SeriesNotFound")
    return series


async def group_at(call: LexiconCall, parameter: str) -> tuple[Group, GroupRole | None]:
    """The group that a parameter names, like ``event_at``, and the caller's membership. Raises NotFound
    (``GroupNotFound``).
    """
    group_and_role = await find_group(call.reader, call.text(parameter), call.viewer, call.public_url)
    if group_and_role is None:
        raise NotFound(XrpcReason.NO_SUCH_GROUP, name="GroupNotFound")
    return group_and_role


async def find_event(reader: Reader, url_or_uri: str, viewer: UserId | None, public_url: str) -> Event | None:
    """The event with this page URL or record URI, if this user may see it."""
    uri = _canonical_uri(url_or_uri)
    if uri is not None:
        event = await event_records.find(reader, uri)
    else:
        slug = _slug_of(url_or_uri, "events", public_url)
        event = None if slug is None else await event_queries.by_slug(reader, EventSlug(slug))
    if event is None or event.is_gone:
        return None
    own_rsvp = None if viewer is None else await attendance_queries.find(reader, event.id, viewer)
    return (
        event
        if await event_access.may_see(reader, event, viewer, has_rsvp_access=rsvp_gives_access(own_rsvp))
        else None
    )


async def find_series(reader: Reader, url_or_uri: str, viewer: UserId | None, public_url: str) -> Series | None:
    """The series with this page URL or record URI, if this user may see it."""
    uri = _canonical_uri(url_or_uri)
    if uri is not None:
        series = await queries.find(reader, uri)
    else:
        slug = _slug_of(url_or_uri, "series", public_url)
        series = None if slug is None else await queries.by_slug(reader, SeriesSlug(slug))
    if series is None or series.deleted_at is not None:
        return None
    return series if await series_visibility.may_see(reader, series, viewer) else None


async def find_group(
    reader: Reader, url_or_uri: str, viewer: UserId | None, public_url: str
) -> tuple[Group, GroupRole | None] | None:
    """The group with this page URL (which may contain an earlier slug) or record URI, if this user may see it."""
    uri = _canonical_uri(url_or_uri)
    if uri is None:
        slug = _slug_of(url_or_uri, "groups", public_url)
        return None if slug is None else await _group_with_slug(reader, GroupSlug(slug), viewer)
    group = await by_any_record(reader, uri)
    if group is None:
        return None
    role = await group_queries.role_in(reader, group.id, viewer)
    return (group, role) if group_rules.may_see(group, role) else None


async def _group_with_slug(
    reader: Reader, slug: GroupSlug, viewer: UserId | None
) -> tuple[Group, GroupRole | None] | None:
    try:
        group, membership = await group_actions.visible(reader, slug, viewer)
    except (NotFound, Gone):
        return None
    return group, membership.role if membership else None


def _canonical_uri(text: str) -> str | None:
    """The at-uri in canonical form. None for everything else."""
    if not text.startswith(_RECORD):
        return None
    try:
        return str(normal_uri(parse_at_uri(text)))
    except Malformed:
        return text


def _slug_of(url: str, section: str, public_url: str) -> str | None:
    """The slug in a page URL of this site, regardless of query and fragment. None for other URLs."""
    try:
        parts, own_parts = urlsplit(url), urlsplit(public_url)
        if (parts.scheme, parts.netloc.lower()) != (own_parts.scheme, own_parts.netloc.lower()):
            return None
    except ValueError:
        return None
    words = parts.path.rstrip("/").split("/")
    return unquote(words[2]) if len(words) == 3 and words[1] == section else None


async def resolve_uri(call: LexiconCall) -> Resolved:
    """Answer ``resolveUri``: from a page to its record, or from a record to its page. Raises NotFound."""
    lookup = (call.reader, call.text("uri"), call.viewer, call.public_url)
    event = await find_event(*lookup)
    if event is not None:
        url = f"{call.public_url}{event_path(event.slug)}"
        return Resolved(kind="event", url=url, uri=event.record_uri, cid=event.record_cid)
    series = await find_series(*lookup)
    if series is not None:
        return Resolved(kind="series", url=f"{call.public_url}{series_path(series.slug)}", uri=series.record_uri)
    group_and_role = await find_group(*lookup)
    if group_and_role is not None:
        group, _ = group_and_role
        return Resolved(kind="group", url=f"{call.public_url}{group_path(group.slug)}", uri=group.network.record_uri)
    raise NotFound(SiteReason.NOTHING_HERE, name="NotFound")


QUERIES = (Query("resolveUri", resolve_uri),)
