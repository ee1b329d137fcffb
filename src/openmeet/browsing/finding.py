"""What people find: public events by words, days, place and kind; those made here and those from the network in one order.

What has all the words in its title comes first, then what has them elsewhere, each by start. Nothing in this order depends
on other events, so a cursor holds its place whatever is added meanwhile.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from groundwork.clock import DAY, Instant, from_datetime
from groundwork.database.transaction import Engine, Reader
from groundwork.database.words import TITLE, is_in_title, wanted_words
from groundwork.points import chord, spot
from openmeet.browsing.queries import Position, position_of
from openmeet.events.model import Event, Mode, Origin
from openmeet.events.queries import columns_of, event_of, is_hidden, is_of_own_group, is_public
from openmeet.site.texts import folded
from openmeet.users.model import UserId

# Up to so many events with the words are read and sorted; more are met soon enough in the order of starts.
_FEW: Final = 1_000


class Source(StrEnum):
    """Where an event was first written."""

    ALL = "all"
    OPENMEET = "openmeet"
    ATPROTO = "atproto"


@dataclass(frozen=True, slots=True)
class Near:
    """Not further than this from a point."""

    latitude: float
    longitude: float
    within_km: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for; words must all occur, topics (``category:music``, as ``events.keeping`` has them) all apply.

    ``first`` and ``last`` are days, both included, on which it starts where it takes place: those of the lists' headings.
    ``of_groups_of``: in the groups of this person, where its members see more than what is public.
    """

    words: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None
    topics: tuple[str, ...] = ()
    mode: Mode | None = None
    source: Source = Source.ALL
    near: Near | None = None
    of_groups_of: UserId | None = None


def position_in(wanted: Wanted, event: Event) -> Position:
    """The cursor behind this event of ``coming``."""
    forms = wanted_words(folded(" ".join(wanted.words)))
    return position_of(event, 1 if forms and not is_in_title(folded(event.title), forms) else 0)


async def coming(reader: Reader, wanted: Wanted, after: Position | None, limit: int) -> list[Event]:
    """Events that are not over. A ``first`` in the past shows past events too: it was asked for."""
    forms = wanted_words(folded(" ".join(wanted.words)))
    if not wanted.words:
        return await _part(reader, wanted, (), (), after, limit)
    if not forms:
        return []
    titled = tuple(f"{TITLE}{form}" for form in forms)
    found: list[Event] = []
    if after is None or after.part == 0:
        found = await _part(reader, wanted, titled, (), after, limit)
        after = None
    if len(found) < limit:
        found += await _part(reader, wanted, forms, titled, after, limit - len(found))
    return found


async def _part(
    reader: Reader, wanted: Wanted, forms: tuple[str, ...], without: tuple[str, ...], after: Position | None, limit: int
) -> list[Event]:
    """Events with all these words and not all of those, by start."""
    clauses, values = _clauses(wanted, reader.now)
    values["limit"] = limit
    if after is not None:
        clauses.append("(e.starts_at, e.id) > (:after_start, :after_id)")
        values |= {"after_start": after.starts_at, "after_id": after.event_id}
    source = "events e"
    at = "strpos" if reader.engine == "postgresql" else "instr"
    if forms and await _are_few(reader, forms):
        values["forms"] = _query_of(forms, reader.engine)
        if reader.engine == "postgresql":
            clauses.append(f"{_VECTOR} @@ cast(cast(:forms as text) as tsquery)")
        else:
            source = _LOOKED_UP
    else:
        clauses += [f"{at}(e.search_words, :form{number}) > 0" for number in range(len(forms))]
        values |= {f"form{number}": f" {form}" for number, form in enumerate(forms)}
    if without:
        absent = " and ".join(f"{at}(e.search_words, :without{number}) > 0" for number in range(len(without)))
        clauses.append(f"not ({absent})")
        values |= {f"without{number}": f" {form}" for number, form in enumerate(without)}
    rows = await reader.fetch(
        f"select {columns_of('e')} from {source} where {' and '.join(clauses)} order by e.starts_at, e.id limit :limit",
        **values,
    )
    return [event_of(row) for row in rows]


def _clauses(wanted: Wanted, now: Instant) -> tuple[list[str], dict[str, object]]:
    clauses = [
        is_public("e") if wanted.of_groups_of is None else is_of_own_group("e"),
        "e.is_held = 0",
        "e.removed_at is null",
        "e.deleted_at is null",
        "e.starts_at is not null",
        f"not {is_hidden('e')}",
    ]
    values: dict[str, object] = {} if wanted.of_groups_of is None else {"user_id": wanted.of_groups_of}
    # The day of a wall clock has no index; that of UTC, a day wider (no zone is further off), narrows by the start's.
    if wanted.first is None:
        clauses.append("e.over_at > :now")
        values["now"] = now
    else:
        clauses += ["e.starts_at >= :since", "e.starts_local >= :first"]
        values |= {"since": _midnight(wanted.first) - DAY, "first": wanted.first.isoformat()}
    if wanted.last is not None:
        following = wanted.last + timedelta(days=1)
        clauses += ["e.starts_at < :until", "e.starts_local < :following"]
        values |= {"until": _midnight(following) + DAY, "following": following.isoformat()}
    for number, topic in enumerate(wanted.topics):
        clauses.append(f"e.topics like :topic{number} escape '!'")
        values[f"topic{number}"] = f"%|{_literally(topic.replace('|', ' '))}|%"
    if wanted.mode is not None:
        # What is held both ways is found by those who want either.
        clauses.append("e.mode in :modes")
        values["modes"] = [wanted.mode.value, Mode.HYBRID.value]
    if wanted.source is not Source.ALL:
        clauses.append("e.origin = :origin")
        values["origin"] = (Origin.HERE if wanted.source is Source.OPENMEET else Origin.NETWORK).value
    if wanted.near is not None:
        x, y, z = spot(wanted.near.latitude, wanted.near.longitude)
        line = chord(wanted.near.within_km * 1_000)
        clauses += [
            "e.place_z between :south and :north",
            "e.place_x between :least_x and :most_x",
            f"{' + '.join(f'(e.place_{axis} - :{axis}) * (e.place_{axis} - :{axis})' for axis in 'xyz')} <= :square",
        ]
        values |= {"south": z - line, "north": z + line, "least_x": x - line, "most_x": x + line}
        values |= {"x": x, "y": y, "z": z, "square": line * line}
    return clauses, values


_VECTOR = "array_to_tsvector(string_to_array(btrim(e.search_words), ' '))"

# ``cross join``: SQLite keeps this order, and does not walk over all events to meet a few.
_LOOKED_UP = """
    (select n.event_id from search_index join search_numbers n on n.number = search_index.rowid
      where search_index match :forms) f cross join events e on e.id = f.event_id"""


async def _are_few(reader: Reader, forms: tuple[str, ...]) -> bool:
    matching = (
        f"events e where {_VECTOR} @@ cast(cast(:forms as text) as tsquery)"
        if reader.engine == "postgresql"
        else "search_index where search_index match :forms"
    )
    row = await reader.fetch_one(
        f"select count(*) as number from (select 1 from {matching} limit :most) met",
        forms=_query_of(forms, reader.engine),
        most=_FEW + 1,
    )
    return row is not None and row["number"] <= _FEW


def _query_of(forms: tuple[str, ...], engine: Engine) -> str:
    """Words that begin so, in the engine's language; a form has no character that means anything in either."""
    if engine == "postgresql":
        return " & ".join(f"'{form}':*" for form in forms)
    return " AND ".join(f'"{form}" *' for form in forms)


def _midnight(day: date) -> Instant:
    return from_datetime(datetime.combine(day, time(), UTC))


def _literally(word: str) -> str:
    """``%`` and ``_`` are characters here, not wildcards."""
    return word.replace("!", "!!").replace("%", "!%").replace("_", "!_")
