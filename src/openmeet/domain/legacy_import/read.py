"""Rows of the older database as values, whatever spelling and type a dump gave them.

Names are compared without case and underscores: ``parentEventId``, ``parent_event_id``. A timestamp without a zone is UTC. A value that
nobody can read is odd and counts as none, in its row alone; a row without a number is left out.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from groundwork.clock import Instant, from_datetime, to_datetime
from groundwork.errors import InvalidInput
from openmeet.domain.legacy_import.model import Odd, Oddity, OldAnswer, OldEvent, OldGroup, OldMember, OldUser, Shape
from openmeet.recurrence.wall_time import FIRST_YEAR, LAST_YEAR

# What the tables' numbers can be there, and can be kept as here.
_MOST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Values:
    """A row by plain names. ``subject`` names it for people (``event 12``); ``odd`` is where it is noted what cannot be read."""

    id: int
    subject: str
    by_name: Mapping[str, Any]
    odd: list[Odd]

    def get(self, name: str) -> Any:
        return self.by_name.get(name)


# What the late migrations added to events.
_RECURRENCE = frozenset({"recurrencerule", "parenteventid"})
_SPLIT = "recurrencesplitpoint"


def plain(name: str) -> str:
    """A table's or column's name as it is compared."""
    return name.replace("_", "").lower()


def values_of(row: Mapping[str, Any], noun: str, number: int, odd: list[Odd]) -> Values | None:
    """A row by plain names, the so-manieth of its table; None, and odd, where it has no number of its own. ``noun``: what it is a row of."""
    by_name = {plain(name): value for name, value in row.items()}
    found = _whole(by_name.get("id"))
    if found is None:
        said = "it is empty" if by_name.get("id") in (None, "") else f"id: {str(by_name['id'])[:40]!r}"
        odd.append(Odd(Oddity.NO_NUMBER, f"{noun} row {number}", said))
        return None
    return Values(found, f"{noun} {found}", by_name, odd)


def shape_of(event_columns: Iterable[str]) -> Shape:
    """What the columns of ``events`` say about the database's age."""
    names = {plain(name) for name in event_columns}
    return Shape(has_recurrence=names >= _RECURRENCE, has_split_points=_SPLIT in names)


def user_of(row: Values) -> OldUser:
    name = " ".join(filter(None, (_text(row, "firstname"), _text(row, "lastname")))) or _text(row, "name")
    social = _text(row, "socialid")
    return OldUser(
        id=row.id,
        email=_text(row, "email").strip().lower() or None,
        name=name,
        did=social if social.startswith("did:") else None,
        is_shadow=_flag(row, "isshadowaccount"),
        is_deleted=_moment(row, "deletedat") is not None,
        created_at=_moment(row, "createdat"),
    )


def group_of(row: Values) -> OldGroup:
    return OldGroup(
        id=row.id,
        slug=_text(row, "slug"),
        name=_text(row, "name"),
        description=_text(row, "description"),
        visibility=_text(row, "visibility").lower() or None,
        requires_approval=_flag(row, "requireapproval"),
        location=_text(row, "location"),
        created_by=_optional_id(row, "createdbyid"),
        matrix_room_id=_text(row, "matrixroomid") or None,
        created_at=_moment(row, "createdat"),
    )


def member_of(row: Values, roles: Mapping[int, str]) -> OldMember | None:
    """None for a row that names no person or no group."""
    group_id, user_id = _optional_id(row, "groupid"), _optional_id(row, "userid")
    if group_id is None or user_id is None:
        return None
    role = roles.get(_optional_id(row, "grouproleid") or -1, _text(row, "role"))
    return OldMember(row.id, group_id, user_id, role.lower() or "member")


def event_of(row: Values) -> OldEvent:
    return OldEvent(
        id=row.id,
        slug=_text(row, "slug"),
        name=_text(row, "name"),
        description=_text(row, "description"),
        kind=_text(row, "type").lower(),
        starts_at=_moment(row, "startdate"),
        ends_at=_moment(row, "enddate"),
        online_url=_text(row, "locationonline").strip(),
        location=_text(row, "location").strip(),
        latitude=_decimal(row, "lat", 90),
        longitude=_decimal(row, "lon", 180),
        capacity=_optional_id(row, "maxattendees"),
        status=_text(row, "status").lower() or None,
        visibility=_text(row, "visibility").lower() or None,
        user_id=_optional_id(row, "userid"),
        group_id=_optional_id(row, "groupid"),
        matrix_room_id=_text(row, "matrixroomid") or None,
        source_type=_text(row, "sourcetype") or None,
        source_id=_text(row, "sourceid") or None,
        source_url=_text(row, "sourceurl") or None,
        created_at=_moment(row, "createdat"),
        zone=_text(row, "timezone") or None,
        rule=_rule(row),
        exceptions=_texts(row, "recurrenceexceptions"),
        until=_moment(row, "recurrenceuntil"),
        count=_optional_id(row, "recurrencecount"),
        is_recurring=_flag(row, "isrecurring"),
        is_all_day=_flag(row, "isallday"),
        parent_id=_optional_id(row, "parenteventid"),
        is_exception=_flag(row, "isrecurrenceexception"),
        original_at=_moment(row, "originaldate"),
        is_split=_flag(row, _SPLIT),
    )


def answer_of(row: Values, roles: Mapping[int, str]) -> OldAnswer | None:
    """None for a row that names no person or no event."""
    event_id, user_id = _optional_id(row, "eventid"), _optional_id(row, "userid")
    if event_id is None or user_id is None:
        return None
    return OldAnswer(
        id=row.id,
        event_id=event_id,
        user_id=user_id,
        status=_text(row, "status").lower() or None,
        role=roles.get(_optional_id(row, "roleid") or -1, _text(row, "role")).lower() or None,
        source_id=_text(row, "sourceid") or None,
        created_at=_moment(row, "createdat"),
    )


def role_of(row: Values) -> tuple[int, str]:
    """A row of a table of roles: its id and its word."""
    return row.id, _text(row, "name")


def room_of(row: Values) -> tuple[int | None, int | None, str]:
    """A row of the table of chat rooms: of which event, of which group, the room."""
    return _optional_id(row, "eventid"), _optional_id(row, "groupid"), _text(row, "matrixroomid")


def moment_of(value: object, name: str) -> Instant | None:
    """A timestamp as a driver or a dump gives it; raises InvalidInput for what is none."""
    match value:
        case None | "":
            return None
        case datetime():
            moment = value
        case date():
            moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
        case str():
            moment = _parsed(value.strip(), name, datetime.fromisoformat)
        case int() | float() if not isinstance(value, bool):
            # What JavaScript counts: milliseconds.
            moment = _parsed(value, name, lambda number: datetime.fromtimestamp(number / 1000, UTC))
        case _:
            raise InvalidInput(name, f"{name} is no time: {str(value)[:40]!r}.")
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _parsed(value: Any, name: str, parse: Callable[[Any], datetime]) -> datetime:
    try:
        return parse(value)
    except (ValueError, OverflowError, OSError):
        raise InvalidInput(name, f"{name} is no time: {str(value)[:40]!r}.") from None


def _moment(row: Values, name: str) -> Instant | None:
    """A time that a calendar of people can hold; None, and odd, for any other."""
    try:
        return _within_years(moment_of(row.get(name), name), row.get(name), name)
    except InvalidInput as wrong:
        row.odd.append(Odd(Oddity.UNREADABLE, row.subject, wrong.why.removesuffix(".")))
        return None


def _within_years(at: Instant | None, value: object, name: str) -> Instant | None:
    if at is not None and not FIRST_YEAR <= to_datetime(at).year <= LAST_YEAR:
        raise InvalidInput(name, f"{name} is not between {FIRST_YEAR} and {LAST_YEAR}: {str(value)[:40]!r}.")
    return at


def _text(row: Values, name: str) -> str:
    value = row.get(name)
    # U+0000 cannot be stored, and a driver for another database may have let it through.
    return "" if value is None else str(value).replace("\x00", "")


def _optional_id(row: Values, name: str) -> int | None:
    value = row.get(name)
    found = _whole(value)
    if found is None and value not in (None, ""):
        row.odd.append(Odd(Oddity.UNREADABLE, row.subject, f"{name} is no whole number: {str(value)[:40]!r}"))
    return found


def _whole(value: object) -> int | None:
    """A whole number as a driver or a dump gives it; None for anything else."""
    if value is None or isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        return None
    try:
        number = int(str(value) if isinstance(value, str) else value)  # type: ignore[call-overload]  # what is none raises
    except (TypeError, ValueError):
        return None
    return number if -_MOST <= number <= _MOST else None


def _flag(row: Values, name: str) -> bool:
    value = row.get(name)
    return value.lower() in {"t", "true", "1"} if isinstance(value, str) else bool(value)


def _decimal(row: Values, name: str, most: float) -> str:
    text = _text(row, name)
    try:
        number = float(text)
    except ValueError:
        return ""
    return f"{number:.7f}".rstrip("0").rstrip(".") if -most <= number <= most else ""


def _json(value: object) -> object:
    """JSON columns leave a driver as text, and a dump as values."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def _rule(row: Values) -> Mapping[str, Any] | str | None:
    value = _json(row.get("recurrencerule"))
    if isinstance(value, Mapping):
        return value or None
    return str(value) if value else None


def _texts(row: Values, name: str) -> tuple[str, ...]:
    value = _json(row.get(name))
    if isinstance(value, list):
        return tuple(str(one) for one in value if one)
    return tuple(filter(None, str(value).split(","))) if value else ()
