"""Query for a series and its dates, both stored and computed from the rule."""

import re

from groundwork.clock import DAY, HOUR, Instant
from groundwork.errors import InvalidInput
from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.values import NOWHERE, Mode, public_place
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.page_paths import series_path
from openmeet.domain.paging import packed, unpacked
from openmeet.domain.series import agenda
from openmeet.domain.series.agenda import AgendaOccurrence
from openmeet.domain.series.dates import original_text
from openmeet.domain.series.model import Series
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.recurrence.describe import describe
from openmeet.recurrence.rule import format_rule
from openmeet.web.events.series_context import date_path
from openmeet.web.xrpc.call import LexiconCall, Query
from openmeet.web.xrpc.events import instant_in
from openmeet.web.xrpc.resolve import series_at
from openmeet.web.xrpc.schemas import EventView, GroupLink, OccurrenceView, SeriesEvents, SeriesView
from openmeet.web.xrpc.views import MODES, group_link, place_of, status_of, views_of

# How far ahead a list of dates can look.
_AHEAD = 100 * 366 * DAY
# Maximum number of dates to skip before a page's first one: dates at the same instant as the cursor, and short dates
# that end earlier.
_OMITTED = 60

_CURSOR = re.compile(r"(-?[0-9]{1,19})\.([0-9T:-]{19})")


async def list_series_events(call: LexiconCall) -> SeriesEvents:
    """Answer ``listSeriesEvents``. Raises NotFound (``SeriesNotFound``), InvalidInput (``InvalidCursor``)."""
    series = await series_at(call, "series")
    lines = await _occurrences_after(call, series, call.number("limit") + 1)
    page = lines[: call.number("limit")]
    stored = [line.event for line in page if line.event is not None]
    views = dict(zip((event.id for event in stored), await views_of(call, stored), strict=True))
    return SeriesEvents(
        series=await _series_view(call, series),
        occurrences=[
            _occurrence(call, series, line, views[line.event.id] if line.event is not None else None) for line in page
        ],
        cursor=_pack(page[-1]) if len(lines) > len(page) else None,
    )


async def _occurrences_after(call: LexiconCall, series: Series, limit: int) -> list[AgendaOccurrence]:
    """Dates after the cursor, in order. Without ``since``, only dates that are not over."""
    now = call.reader.now
    after, since = _unpack(call.text("cursor")), instant_in(call, "since")
    length = series.timing.length
    under_way = HOUR if length is None else int(length.total_seconds() * 1_000_000)
    start = since if since is not None else Instant(now - under_way)
    if after is not None:
        start = max(start, after[0])
    end = instant_in(call, "until") or Instant(max(now, start) + _AHEAD)
    occurrences = await agenda.between(call.reader, series, call.viewer, start, end, limit=limit + _OMITTED)
    return [
        line
        for line in occurrences
        if (after is None or (line.details.starts_at, line.original_date) > after)
        and (since is not None or not line.is_over(now))
    ][:limit]


def _occurrence(call: LexiconCall, series: Series, line: AgendaOccurrence, view: EventView | None) -> OccurrenceView:
    return OccurrenceView(
        recurrence_id=line.original_date,
        starts_at=iso(line.details.starts_at),
        ends_at=iso_or_none(line.details.ends_at),
        title=line.details.content.title,
        status=status_of(line.event.status if line.event is not None else EventStatus.SCHEDULED),
        url=f"{call.public_url}{date_path(series, line)}",
        event=view,
    )


async def _series_view(call: LexiconCall, series: Series) -> SeriesView:
    template, pattern, length = series.content, series.timing.pattern, series.timing.length
    is_host = await agenda.may_host(call.reader, series, call.viewer)
    venue = template.venue if is_host else public_place(template.venue, template.place_audience)
    names = await shown_names(call.reader, [series.owner_id])
    return SeriesView(
        uri=series.record_uri,
        url=f"{call.public_url}{series_path(series.slug)}",
        title=template.title,
        description=template.description,
        sentence=describe(pattern),
        rrule="" if pattern.rule is None else format_rule(pattern.rule),
        starts_local=original_text(pattern.start),
        time_zone=series.zone_name,
        duration_minutes=None if length is None else int(length.total_seconds() // 60),
        mode=MODES[template.mode],
        place=place_of(NOWHERE if template.mode is Mode.ONLINE else venue),
        status=series.status.value,
        status_reason=series.status_reason,
        visibility=series.visibility.value,
        host_name=names[series.owner_id],
        group=await _group_link(call, series),
        created_at=iso(series.created_at),
        updated_at=iso(series.updated_at),
    )


async def _group_link(call: LexiconCall, series: Series) -> GroupLink | None:
    if series.group is None:
        return None
    group = await group_queries.by_id(call.reader, series.group.id)
    role = await group_queries.role_in(call.reader, series.group.id, call.viewer)
    return group_link(group, call.public_url) if group is not None and group_rules.may_see(group, role) else None


def _pack(line: AgendaOccurrence) -> str:
    return packed(f"{line.details.starts_at}.{line.original_date}")


def _unpack(text: str) -> tuple[Instant, str] | None:
    if not text:
        return None
    position = unpacked(_CURSOR, text)
    if abs(int(position[1])) >= 1 << 62:
        raise InvalidInput("cursor", GeneralReason.INVALID_CURSOR, name="InvalidCursor")
    return Instant(int(position[1])), position[2]


QUERIES = (Query("listSeriesEvents", list_series_events),)
