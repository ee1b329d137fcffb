"""Search for public events by words, days, place and kind, and the events of the front page, without a search (see
``events.unsolicited_lists``). Local and network events are in one order.

Events with all words in the title come first, followed by the other matches, each part ordered by start. The order of
two events does not depend on any others, so cursors stay valid when events are added.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from groundwork.database.words import TITLE, beginning_clause, is_in_title, query_terms, topic_term
from groundwork.geo_points import NARROW, WIDE, SearchArea, cells, chord, spot
from openmeet.domain.events.model import Event, EventId, RecordOrigin
from openmeet.domain.events.queries import columns_of, event_of
from openmeet.domain.events.series_dates import has_date, is_first_of_series
from openmeet.domain.events.unsolicited_lists import FAMILIAR_DIDS, FrontPageChoice, FrontPagePolicy
from openmeet.domain.events.values import Mode
from openmeet.domain.events.visibility import is_hidden, is_kept_from, is_listed, is_of_own_group, is_public
from openmeet.domain.moderation.blocks import is_out_of_lists
from openmeet.domain.search.index_scan import IndexQuery, find_page, find_rows
from openmeet.domain.search.my_event_lists import EventCursor, position_of
from openmeet.domain.search.word_index import Term
from openmeet.domain.users.model import UserId
from openmeet.i18n.markdown import folded
from openmeet.recurrence.wall_time import midnight

# An event's position may only be that of its town, so searches always cover at least the size of a town.
TOWN_KM = 5
# Up to this radius in kilometres, the narrow cells are searched. A search never needs more than a hundred wide cells.
NARROWLY = 100
# No event lasts longer than this.
_LONGEST: Final = 367 * DAY


class EventOrigin(StrEnum):
    """Where an event was first written."""

    ALL = "all"
    OPENMEET = "openmeet"
    ATPROTO = "atproto"


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A search. All words must occur, and all topics (``category:music``, as in ``events.content.topics_of``) must
    apply.

    ``first`` and ``last``, both inclusive, are days in the event's own zone on which it starts, as in the headings of
    lists. ``since`` (inclusive) and ``until`` (exclusive) are instants instead. ``of_groups_of``: search the groups of
    this person, in which members see more than the public. ``viewer``: the user whose blocks and mutes apply.
    ``takes_place``: no cancelled events. ``once_per_series``: only the next match of each series. ``only_series``: only
    dates of series, no single events.
    ``related``: terms of ``words``, each followed by the terms that may take its place in a title.
    """

    words: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None
    since: Instant | None = None
    until: Instant | None = None
    topics: tuple[str, ...] = ()
    mode: Mode | None = None
    source: EventOrigin = EventOrigin.ALL
    near: SearchArea | None = None
    of_groups_of: UserId | None = None
    viewer: UserId | None = None
    takes_place: bool = False
    once_per_series: bool = False
    only_series: bool = False
    related: tuple[tuple[str, ...], ...] = ()

    @property
    def is_private(self) -> bool:
        """Whether the results are only for the person who searches. Such a search has no feed and is not saved."""
        return self.of_groups_of is not None


# A term of a search, and others that may take its place.
Alternatives = tuple[str, ...]


# Each repository is read by its own index of starts, so the cost grows with the number of users of this site, not with
# the number of records that other people write.
def _fits_front_page(table: str) -> str:
    return f"""
        (cast(:takes_place as integer) = 0 or {table}.status <> 'cancelled') and
        {table}.origin = '{RecordOrigin.NETWORK.value}' and {is_listed(table)} and {table}.over_at > :now
        and {is_public(table)} and not {is_hidden(table)}
            and not {is_out_of_lists(f"{table}.author_id", f"{table}.group_id")}
    """


_OF_FAMILIAR: Final = f"""
    select {columns_of("e")} from ({FAMILIAR_DIDS}) d join events e on e.record_did = d.did
     where {_fits_front_page("e")} and e.starts_at > :began
       and (e.starts_at, e.id) > (cast(:after_start as bigint), :after_id)
       and {{of_series}}
     order by e.starts_at, e.id limit :limit
"""
_FRONT_PAGE_DATES: Final = _OF_FAMILIAR.format(of_series="1 = 1")
_FRONT_PAGE_FIRST_DATES: Final = _OF_FAMILIAR.format(of_series=is_first_of_series("e", _fits_front_page, by="over_at"))
_FRONT_PAGE_SERIES: Final = _OF_FAMILIAR.format(
    of_series=f"e.series_id is not null and {is_first_of_series('e', _fits_front_page, by='over_at')}"
)


def position_in(query: SearchQuery, event: Event) -> EventCursor:
    """The cursor after this event in the results of ``coming``."""
    title, forms = folded(event.title), _forms(query)
    is_titled = all(any(is_in_title(title, (form,)) for form in (first, *_others(query, first))) for first in forms)
    return position_of(event, 0 if is_titled else 1)


async def coming(reader: Reader, query: SearchQuery, after: EventCursor | None, limit: int) -> list[Event]:
    """Return upcoming events. If ``first`` or ``since`` is in the past, past events are included."""
    forms = _forms(query)
    if not query.words:
        return await _part(reader, query, (), (), after, limit)
    if not forms:
        return []
    titled = tuple((f"{TITLE}{form}", *_titled_others(query, form)) for form in forms)
    events: list[Event] = []
    if after is None or after.part == 0:
        events = await _part(reader, query, titled, (), after, limit)
        after = None
    if len(events) < limit:
        events += await _part(reader, query, _anywhere(query, forms), titled, after, limit - len(events))
    return events


async def local_days(reader: Reader, query: SearchQuery, limit: int) -> list[tuple[EventId, date]]:
    """The events that start between ``first`` and ``last``, by start, each with its local day. Words may be in the title
    or anywhere else, and all dates of a series are included.

    Reads nothing else of the events, so that a month with many of them costs little.
    """
    forms = _forms(query)
    if query.words and not forms:
        return []
    index_query = replace(_index_query(reader, query, _anywhere(query, forms), ()), columns="e.id, e.starts_local")
    rows = await find_rows(reader, index_query, None, limit)
    return [(EventId(row["id"]), datetime.fromisoformat(row["starts_local"]).date()) for row in rows]


async def count_between(reader: Reader, source: EventOrigin, since: Instant, until: Instant, limit: int) -> int:
    """How many public events start in this time, at most ``limit``. Cancelled ones are not counted, and each
    date of a series is.
    """
    query = SearchQuery(source=source, since=since, until=until, takes_place=True)
    rows = await find_rows(reader, replace(_index_query(reader, query, (), ()), columns="e.id"), None, limit)
    return len(rows)


async def coming_on_front_page(
    reader: Reader,
    viewer: UserId | None,
    policy: FrontPagePolicy,
    after: EventCursor | None,
    limit: int,
    *,
    takes_place: bool = False,
    once_per_series: bool = False,
    only_series: bool = False,
) -> list[Event]:
    """Upcoming events after ``after``, ordered by start like ``search.coming`` without words."""
    source = EventOrigin.ALL if policy.choice is FrontPageChoice.EVERYTHING else EventOrigin.OPENMEET
    query = SearchQuery(
        source=source,
        viewer=viewer,
        takes_place=takes_place,
        once_per_series=once_per_series,
        only_series=only_series,
    )
    created_here = await coming(reader, query, after, limit)
    if policy.choice is not FrontPageChoice.FAMILIAR:
        return created_here
    sql = _FRONT_PAGE_SERIES if only_series else _FRONT_PAGE_FIRST_DATES if once_per_series else _FRONT_PAGE_DATES
    rows = await reader.fetch(
        sql,
        viewer=viewer or "",
        takes_place=int(takes_place),
        began=reader.now - _LONGEST,
        now=reader.now,
        after_start=after.starts_at if after else -1,
        after_id=after.event_id if after else "",
        limit=limit,
    )
    nearby_query = replace(query, source=EventOrigin.ATPROTO, near=policy.near)
    nearby = [] if policy.near is None else await coming(reader, nearby_query, after, limit)
    event_by_id = {event.id: event for event in (*created_here, *nearby, *map(event_of, rows))}
    return sorted(event_by_id.values(), key=lambda event: (event.starts_at or 0, event.id))[:limit]


def _forms(query: SearchQuery) -> tuple[str, ...]:
    return query_terms(folded(" ".join(query.words)))


def _anywhere(query: SearchQuery, forms: tuple[str, ...]) -> tuple[Alternatives, ...]:
    return tuple((form, *_titled_others(query, form)) for form in forms)


def _titled_others(query: SearchQuery, form: str) -> Alternatives:
    return tuple(f"{TITLE}{other}" for other in _others(query, form))


def _others(query: SearchQuery, form: str) -> tuple[str, ...]:
    return next((alternatives[1:] for alternatives in query.related if alternatives[0] == form), ())


async def _part(
    reader: Reader,
    query: SearchQuery,
    forms: tuple[Alternatives, ...],
    without: tuple[Alternatives, ...],
    after: EventCursor | None,
    limit: int,
) -> list[Event]:
    """Events with all words of ``forms`` but not all of ``without``, ordered by start."""
    index_query = _index_query(reader, query, forms, without)
    rows = await find_page(reader, index_query, (after.starts_at, after.event_id) if after else None, limit)
    return [event_of(row) for row in rows]


def _index_query(
    reader: Reader, query: SearchQuery, forms: tuple[Alternatives, ...], without: tuple[Alternatives, ...]
) -> IndexQuery:
    clauses, values = _clauses(query, "e")
    visible, visible_values = _visible(query, "e")
    at = "strpos" if reader.engine == "postgresql" else "instr"
    if without:
        titled = _beginnings("without", without, at, "e")
        clauses.append(f"not ({' and '.join(term.condition for term in titled)})")
        for term in titled:
            values |= term.values
    index_query = IndexQuery(
        clauses=tuple(clauses),
        values=values,
        visible=visible,
        visible_values=visible_values,
        terms=_terms(query, forms, at, "e"),
        is_listed=query.of_groups_of is None,
        since=query.since if query.first is None else Instant(midnight(query.first, "UTC") - DAY),
        until=query.until if query.last is None else Instant(midnight(query.last, "UTC") + 2 * DAY),
    )
    if query.once_per_series:
        return _first_of_each_series(reader, index_query, query, forms, without, at)
    return index_query


def _first_of_each_series(
    reader: Reader,
    index_query: IndexQuery,
    query: SearchQuery,
    forms: tuple[Alternatives, ...],
    without: tuple[Alternatives, ...],
    at: str,
) -> IndexQuery:
    """Restrict a search to the first match of each series. A series in the previous part is not repeated."""
    by: Literal["over_at", "starts_at"] = "over_at" if index_query.since is None else "starts_at"

    def fits(table: str) -> str:
        terms = [term.condition for term in _terms(query, forms, at, table)]
        bounds = [
            f"{table}.over_at > :dates_after" if index_query.since is None else f"{table}.starts_at >= :dates_since"
        ]
        if index_query.until is not None:
            bounds.append(f"{table}.starts_at < :dates_until")
        return " and ".join((is_listed(table), *bounds, *_clauses(query, table)[0], *_visible(query, table)[0], *terms))

    clause = is_first_of_series("e", fits, by=by)
    if without:
        titled = has_date(
            "e",
            lambda table: " and ".join(
                (fits(table), *(term.condition for term in _beginnings("without", without, at, table)))
            ),
        )
        # A case expression, because the second condition need not be evaluated for most dates.
        clause = f"case when {clause} then not {titled} else false end"
    bounds = {"dates_after": reader.now, "dates_since": index_query.since, "dates_until": index_query.until}
    values = {
        **index_query.values,
        **index_query.visible_values,
        **{name: value for name, value in bounds.items() if f":{name}" in clause},
    }
    return replace(index_query, clauses=(*index_query.clauses, clause), values=values)


def _terms(query: SearchQuery, forms: tuple[Alternatives, ...], at: str, table: str) -> tuple[Term, ...]:
    """Conditions on ``table``, an alias of ``events``, that the word index can answer."""
    terms = [
        *_beginnings("form", forms, at, table),
        *(_topic(f"topic{number}", topic_term(topic), at, table) for number, topic in enumerate(query.topics)),
    ]
    if query.mode is not None:
        # Hybrid events match both modes.
        modes = [query.mode.value, Mode.HYBRID.value]
        terms.append(Term(f"{table}.mode in :modes", {"modes": modes}, tuple(f"m={mode}" for mode in modes)))
    if query.source is not EventOrigin.ALL:
        origin = (RecordOrigin.HERE if query.source is EventOrigin.OPENMEET else RecordOrigin.NETWORK).value
        terms.append(Term(f"{table}.origin = :origin", {"origin": origin}, (f"o={origin}",)))
    if query.near is not None:
        terms.append(_near(query.near, table))
    return tuple(terms)


def _beginnings(name: str, forms: tuple[Alternatives, ...], at: str, table: str) -> list[Term]:
    """For each of ``forms``: a word of ``search_words`` must begin with one of its alternatives."""
    return [_beginning(f"{name}{number}_", alternatives, at, table) for number, alternatives in enumerate(forms)]


def _beginning(name: str, alternatives: Alternatives, at: str, table: str) -> Term:
    clauses = [
        beginning_clause(f"{table}.search_words", at, f"{name}{number}", form)
        for number, form in enumerate(alternatives)
    ]
    values = {f"{name}{number}": f" {form}" for number, form in enumerate(alternatives)}
    return Term(f"({' or '.join(clauses)})", values, alternatives, is_beginning=True)


def _topic(name: str, word: str, at: str, table: str) -> Term:
    """A whole word that must occur in ``search_words``."""
    return Term(f"{at}({table}.search_words, :{name}) > 0", {name: f" {word} "}, (word,))


def _near(near: SearchArea, table: str) -> Term:
    x, y, z = center = spot(near.latitude, near.longitude)
    line = chord(near.within_km * 1_000)
    square = " + ".join(f"({table}.place_{axis} - :{axis}) * ({table}.place_{axis} - :{axis})" for axis in "xyz")
    width, name = (NARROW, "h") if near.within_km <= NARROWLY else (WIDE, "g")
    town_line = max(line, chord(TOWN_KM * 1_000))
    words = tuple(f"{name}=" + "_".join(map(str, cell)) for cell in cells(center, town_line, width))
    most = ":square"
    values = {"x": x, "y": y, "z": z, "square": line * line}
    if town_line > line:
        most = f"case when {table}.derived_from = '' then cast(:square as bigint) else cast(:town_square as bigint) end"
        values["town_square"] = town_line * town_line
    return Term(f"{square} <= {most}", values, words)


def _clauses(query: SearchQuery, table: str) -> tuple[list[str], dict[str, object]]:
    """Conditions that the word index cannot answer, such as local days."""
    clauses = [is_public(table) if query.of_groups_of is None else is_of_own_group(table)]
    values: dict[str, object] = {}
    if query.of_groups_of is not None:
        clauses.append(f"not {is_kept_from(table)}")
        values["user_id"] = query.of_groups_of
    if query.takes_place:
        clauses.append(f"{table}.status <> 'cancelled'")
    if query.only_series:
        clauses.append(f"{table}.series_id is not null")
    # Local days have no index. The index of starts narrows the range to UTC days with one more on each side, because no
    # zone is further off.
    if query.first is not None:
        clauses.append(f"{table}.starts_local >= :first")
        values["first"] = query.first.isoformat()
    if query.last is not None:
        clauses.append(f"{table}.starts_local < :following")
        values["following"] = (query.last + timedelta(days=1)).isoformat()
    return clauses, values


def _visible(query: SearchQuery, table: str) -> tuple[tuple[str, ...], dict[str, object]]:
    """Conditions that nearly all public events meet: neither moderation nor the viewer's blocks and mutes hide them."""
    if query.viewer is None:
        return (f"not {is_hidden(table)}",), {}
    out_of_lists = is_out_of_lists(f"{table}.author_id", f"{table}.group_id")
    return (f"not {is_hidden(table)}", f"not {out_of_lists}"), {"viewer": query.viewer}
