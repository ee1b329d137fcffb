"""The content of an event, which is everything its host says about it except the time, and all conversions that follow
from its fields.

A new field needs a line in ``Content`` and a row in ``FIELDS``. From these follow its inputs in forms and the JSON API
with its documentation, their labels, its columns, its name in notifications, its part of the object in records, the
override of a date and the three-way merge.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any, Final

import msgspec

from groundwork.database.transaction import Row
from openmeet.domain.events import columns, inputs
from openmeet.domain.events.columns import FieldColumns
from openmeet.domain.events.inputs import Input, Problems
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.values import (
    MAX_ACCESS_NOTE,
    MAX_CAPACITY,
    MAX_CATEGORIES,
    MAX_DESCRIPTION,
    MAX_ENTRY_INSTRUCTIONS,
    MAX_LANGUAGES,
    MAX_MINUTES_BEFORE,
    MAX_PLACE_PART,
    MAX_PRICE,
    MAX_SHUFFLE,
    MAX_TITLE,
    NO_ACCESSIBILITY,
    NO_TICKETS,
    NOWHERE,
    Accessibility,
    Audience,
    EventLink,
    Mode,
    RemovalDelay,
    Tickets,
    Venue,
    Visibility,
)
from openmeet.domain.events.vocabulary import AccessFeature, Category
from openmeet.domain.media.pictures import Picture
from openmeet.i18n.catalogue import LazyText, lazy, plazy


@dataclass(frozen=True, slots=True)
class Content:
    """The content of an event. A series has one content for all its dates; a date can override single fields.

    ``visibility`` is the host's choice; a group can restrict it. ``online_url_from`` is the number of minutes before
    the start at which the link is shown to people who may see it; None means at once. ``cover_title`` is the title
    whose generated cover is kept, because another app changed the title; empty means the current one.
    """

    title: str
    description: str = ""
    mode: Mode = Mode.IN_PERSON
    venue: Venue = NOWHERE
    online_url: str = ""
    online_url_audience: Audience = Audience.ATTENDEES
    links: tuple[EventLink, ...] = ()
    capacity: int | None = None
    visibility: Visibility = Visibility.PUBLIC
    place_audience: Audience = Audience.EVERYONE
    online_url_from: int | None = None
    entry_instructions: str = ""
    entry_audience: Audience = Audience.ATTENDEES
    picture: Picture | None = None
    tickets: Tickets = NO_TICKETS
    accessibility: Accessibility = NO_ACCESSIBILITY
    categories: tuple[Category, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    cover_shuffle: int | None = None
    cover_title: str = ""
    remove_after: RemovalDelay = RemovalDelay.NEVER


@dataclass(frozen=True, slots=True)
class Field:
    """One field of ``Content``.

    ``inputs``: where it is typed. Without any, forms and requests leave it unchanged. ``join`` makes the value from the
    values of the inputs and ``split`` does the reverse; both are required for several inputs. ``change_label``: its
    name in notifications about a change, which do not contain the value, because it might be private. None means that
    no one is notified. ``stored``: its columns in ``events``. None means that it is in the JSON column ``extra``.
    ``in_record``: for each input, its key in the object that we add to records (``network.records.extension``). None
    means that the community's Lexicon has a property for it, or that it is not in records. ``audience``: the name of
    the field that says who can see it. Empty means everyone who can see the event.
    """

    name: str
    inputs: tuple[Input, ...] = ()
    join: Callable[..., Any] = lambda value: value
    split: Callable[[Any], tuple[Any, ...]] = lambda value: (value,)
    change_label: LazyText | None = None
    stored: FieldColumns | None = None
    in_record: tuple[str, ...] = ()
    audience: str = ""


def _venue(
    name: str, street: str, postal: str, locality: str, region: str, country: str, point: tuple[str, str]
) -> Venue:
    return Venue(name, street, locality, region, country, postal, *point)


def _venue_parts(venue: Venue) -> tuple[Any, ...]:
    point = venue.latitude, venue.longitude
    return venue.name, venue.street, venue.postal_code, venue.locality, venue.region, venue.country, point


_PLACE_PART: Final = inputs.place_part(MAX_PLACE_PART)

FIELDS: Final = (
    Field(
        "title",
        (Input("title", lazy("Title"), inputs.title(MAX_TITLE)),),
        change_label=plazy("a field that changed", "title"),
        stored=columns.text("title"),
    ),
    Field(
        "description",
        (Input("description", lazy("Description"), inputs.description(MAX_DESCRIPTION)),),
        change_label=plazy("a field that changed", "description"),
        stored=columns.text("description"),
    ),
    Field(
        "mode",
        (Input("mode", lazy("How do people meet?"), inputs.one_of(Mode, Mode.IN_PERSON)),),
        change_label=plazy("a field that changed", "way of taking part"),
        stored=columns.one_of("mode", Mode),
    ),
    Field(
        "venue",
        (
            Input("venue_name", lazy("Name of the place"), _PLACE_PART),
            Input("street", lazy("Street and number"), _PLACE_PART),
            Input("postal_code", lazy("Postal code"), _PLACE_PART),
            Input("locality", lazy("Town"), _PLACE_PART),
            Input("region", lazy("State or region"), _PLACE_PART),
            Input("country", lazy("Country"), _PLACE_PART),
            Input("point", lazy("Point on the map"), inputs.POINT),
        ),
        join=_venue,
        split=_venue_parts,
        audience="place_audience",
        stored=columns.parts(Venue, name="venue_name"),
    ),
    Field(
        "online_url",
        (
            Input(
                "online_url",
                lazy("Link to join"),
                inputs.web_address(is_shown=False),
                example="https://talk.example/board-games",
            ),
        ),
        change_label=plazy("a field that changed", "link for joining online"),
        audience="online_url_audience",
        stored=columns.text("online_url"),
    ),
    Field(
        "online_url_audience",
        (
            Input(
                "online_url_audience",
                lazy("Who sees the link to join?"),
                inputs.one_of(Audience, Audience.ATTENDEES),
            ),
        ),
        stored=columns.one_of("online_url_audience", Audience),
    ),
    Field(
        "links",
        change_label=plazy("a field that changed", "links"),
        stored=columns.as_json("links", tuple[EventLink, ...]),
    ),
    Field(
        "capacity",
        (
            Input(
                "capacity",
                lazy("Number of places"),
                inputs.number(
                    1,
                    MAX_CAPACITY,
                    EventReason.CAPACITY_OUT_OF_RANGE(most=MAX_CAPACITY),
                ),
            ),
        ),
        change_label=plazy("a field that changed", "number of places"),
        stored=columns.number("capacity"),
    ),
    Field(
        "visibility",
        (
            Input(
                "visibility",
                lazy("Who can see this event?"),
                inputs.one_of(Visibility, Visibility.PUBLIC, is_shown=False),
            ),
        ),
        change_label=plazy("a field that changed", "who can see it"),
        stored=columns.one_of("visibility", Visibility),
    ),
    Field(
        "place_audience",
        (Input("place_audience", lazy("Who sees the exact address?"), inputs.one_of(Audience, Audience.EVERYONE)),),
        stored=columns.one_of("place_audience", Audience),
    ),
    Field(
        "online_url_from",
        (
            Input(
                "online_url_from",
                lazy("When is the link shown?"),
                inputs.number(
                    0,
                    MAX_MINUTES_BEFORE,
                    EventReason.MINUTES_OUT_OF_RANGE(most=MAX_MINUTES_BEFORE),
                ),
            ),
        ),
        stored=columns.number("online_url_from"),
    ),
    Field(
        "entry_instructions",
        (
            Input(
                "door_note",
                lazy("How to get in"),
                inputs.long_text(MAX_ENTRY_INSTRUCTIONS, shown=str | None),
                example="Ring at the blue door, second floor.",
            ),
        ),
        change_label=plazy("a field that changed", "how to get in"),
        audience="entry_audience",
        stored=columns.text("entry_instructions"),
    ),
    Field(
        "entry_audience",
        (Input("door_audience", lazy("Who sees how to get in?"), inputs.one_of(Audience, Audience.ATTENDEES)),),
        stored=columns.one_of("entry_audience", Audience),
    ),
    Field("picture", change_label=plazy("a field that changed", "picture")),
    Field(
        "tickets",
        (
            Input("price", lazy("Price"), inputs.line(MAX_PRICE), example="Free, or 5 € for those who can"),
            Input(
                "ticket_url",
                lazy("Link to tickets"),
                inputs.web_address(),
                example="https://tickets.example/board-games",
            ),
        ),
        join=lambda price, url: Tickets(url, price),
        split=lambda tickets: (tickets.price, tickets.url),
        change_label=plazy("a field that changed", "tickets"),
        in_record=("price", "ticketUrl"),
    ),
    Field(
        "accessibility",
        (
            Input("access", lazy("Accessibility"), inputs.several(AccessFeature)),
            Input(
                "access_note",
                lazy("More about accessibility"),
                inputs.long_text(MAX_ACCESS_NOTE),
                example="The lift is behind the counter.",
            ),
        ),
        join=Accessibility,
        split=lambda access: (access.features, access.note),
        change_label=plazy("a field that changed", "accessibility"),
        in_record=("accessibility", "accessibilityNote"),
    ),
    Field(
        "categories",
        (Input("categories", lazy("What’s it about?"), inputs.several(Category, at_most=MAX_CATEGORIES)),),
        change_label=plazy("a field that changed", "categories"),
        in_record=("categories",),
    ),
    Field(
        "tags",
        (Input("tags", lazy("Tags"), inputs.TAGS),),
        change_label=plazy("a field that changed", "tags"),
        in_record=("tags",),
    ),
    Field(
        "languages",
        (Input("languages", lazy("Languages"), inputs.language_codes(MAX_LANGUAGES)),),
        change_label=plazy("a field that changed", "languages"),
        in_record=("languages",),
    ),
    # Number of the generated cover among the covers that suit the title; none means the first.
    Field(
        "cover_shuffle",
        (
            Input(
                "cover_shuffle",
                lazy("Generated cover"),
                inputs.number(0, MAX_SHUFFLE, EventReason.SHUFFLE_OUT_OF_RANGE(most=MAX_SHUFFLE)),
            ),
        ),
    ),
    Field("cover_title"),
    # ``Event.removes_at`` is stored in a column for the scheduler.
    Field(
        "remove_after",
        (
            Input(
                "remove_after",
                lazy("How long should the page stay?"),
                inputs.one_of(RemovalDelay, RemovalDelay.NEVER),
            ),
        ),
    ),
)

NAMES: Final = tuple(field.name for field in FIELDS)
assert tuple(field.name for field in fields(Content)) == NAMES, "FIELDS has a row for each field of Content"  # noqa: S101

# The fields in the object that we add to records.
EXTENDED: Final = tuple(field.name for field in FIELDS if field.in_record)

# The same with types and defaults, for other dataclasses that have these fields too.
EXTENDED_TYPES: Final = [(one.name, one.type, one.default) for one in fields(Content) if one.name in EXTENDED]

_BLANK: Final[Mapping[str, Any]] = {field.name: field.default for field in fields(Content)}

INPUTS: Final = tuple(one for field in FIELDS for one in field.inputs)
_INPUT_NAMES: Final = {field.name: field.inputs[0].name for field in FIELDS if len(field.inputs) == 1}


def differing(one: Content, other: Content) -> tuple[str, ...]:
    """Names of the fields in which the two differ."""
    return tuple(name for name in NAMES if getattr(one, name) != getattr(other, name))


# Represents the event's end in lists of changed fields.
END: Final = "end"
_FIELD_LABELS: Final = {field.name: field.change_label for field in FIELDS if field.change_label is not None} | {
    END: plazy("a field that changed", "end")
}


def renamed_elsewhere(before: Content, title: str) -> Content:
    """The content with a title that another app wrote. It keeps its generated cover, by which people know the event."""
    if title == before.title:
        return before
    return replace(before, title=title, cover_title=before.cover_title or before.title)


def changed_fields(before: Content, after: Content) -> tuple[str, ...]:
    """Names of the changed fields that people are notified of."""
    return tuple(name for name in differing(before, after) if name in _FIELD_LABELS)


def changed_field_label(name: str) -> str:
    """The name of a changed field in notifications. If the field no longer exists, ``name`` itself."""
    return str(_FIELD_LABELS.get(name, name))


def parse(typed: Mapping[str, str], problems: Problems, before: Content | None) -> Content:
    """Parse the typed inputs. A reason is added to ``problems`` for each invalid one, and then the result must not be
    used.

    Fields without inputs stay as they are in ``before``.
    """
    other_values = {field.name: getattr(before, field.name) for field in FIELDS if not field.inputs} if before else {}
    read = {
        field.name: field.join(*(one.kind.parse(typed[one.name], one.name, problems) for one in field.inputs))
        for field in FIELDS
        if field.inputs
    }
    return Content(**other_values, **read)


def input_name(field: str) -> str:
    """The name of a field, of ``Content`` or not, in forms and the API: that of its input if it has exactly one."""
    return _INPUT_NAMES.get(field, field)


def fill(content: Content) -> dict[str, str]:
    """The text of each input."""
    return {
        one.name: one.kind.fill(part)
        for field in FIELDS
        for one, part in zip(
            field.inputs, field.split(getattr(content, field.name)) if field.inputs else (), strict=True
        )
    }


def visible(content: Content, *, is_insider: bool, is_of_series: bool = False) -> Content:
    """The content visible to people who are neither attendees nor hosts. Fields that they cannot see have their default
    value.

    With ``is_of_series``, all fields with an audience are hidden from them, even those that the dates show to everyone,
    because nobody attends a series. The place and the join link have additional rules (``disclosure.private_details``).
    """
    if is_insider:
        return content
    hidden = [
        field.name
        for field in FIELDS
        if field.audience and (is_of_series or getattr(content, field.audience) is not Audience.EVERYONE)
    ]
    return replace(content, **{name: _BLANK[name] for name in hidden})


def shown(content: Content) -> dict[str, Any]:
    """The JSON value of each input that the API returns. The content must be ``visible`` to the reader."""
    return {
        one.name: one.kind.show(part)
        for field in FIELDS
        if field.inputs
        for one, part in zip(field.inputs, field.split(getattr(content, field.name)), strict=True)
        if one.kind.shown is not None
    }


_Extra: Final = msgspec.defstruct(
    "Extra",
    [
        (field.name, field.type, field.default)
        for field in fields(Content)
        if any(one.stored is None and one.name == field.name for one in FIELDS)
    ],
    omit_defaults=True,
    module=__name__,
)


_extra_of: Final = attrgetter(*_Extra.__struct_fields__)
_extended_of: Final = attrgetter(*EXTENDED)


_EXTRA: Final = columns.as_json("extra", _Extra)
_STORED: Final = [(field.name, field.stored) for field in FIELDS if field.stored is not None]
# Pages read hundreds of rows, so the usual case, a field with one cell, is fast.
_CELLS: Final = [(name, one.names[0], one.write, one.read) for name, one in _STORED if len(one.names) == 1]
_PARTS: Final = [(name, one.names, one.write, one.read) for name, one in _STORED if len(one.names) > 1]

# The columns of ``events`` that contain content, with their types.
COLUMNS: Final[Mapping[str, str]] = {
    name: one.sql_type for one in (*(stored for _, stored in _STORED), _EXTRA) for name in one.names
}


def to_row(content: Content) -> dict[str, object]:
    """The cells of ``COLUMNS``. Fields without their own columns are left out if they have their default."""
    row: dict[str, object] = {column: write(getattr(content, name)) for name, column, write, _ in _CELLS}
    for name, names, write, _ in _PARTS:
        row |= zip(names, write(getattr(content, name)), strict=True)
    return row | {"extra": _EXTRA.write(_Extra(*_extra_of(content)))}


def of_row(row: Row) -> Content:
    """Parse the content in a row with ``COLUMNS``."""
    values = {name: read(row[column]) for name, column, _, read in _CELLS}
    for name, names, _, read in _PARTS:
        values[name] = read(*[row[column] for column in names])
    return Content(**values, **msgspec.structs.asdict(_EXTRA.read(row["extra"])))


def categories_in(row: Row) -> tuple[Category, ...]:
    """Parse only the categories in a row with the column ``extra``."""
    categories: tuple[Category, ...] = _EXTRA.read(row["extra"]).categories
    return categories


def topics_of(content: Content) -> tuple[str, ...]:
    """Filter terms, like ``category:music`` and ``tag:board games``."""
    return (
        *(f"category:{one.value}" for one in content.categories),
        *(f"tag:{tag}" for tag in content.tags),
        *(f"language:{code}" for code in content.languages),
        *(f"access:{one.value}" for one in content.accessibility.features),
    )


def extension_of(value: Any) -> dict[str, Any]:
    """The fields of the object that we add to records, taken from any value that has them."""
    return dict(zip(EXTENDED, _extended_of(value), strict=True))
