"""Fields of this site's events beyond the community Lexicon, in records: written key by key, without private fields,
with unknown keys kept.
"""

import json
from dataclasses import replace

from at_protocol.data import cbor
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.validate import validate_record
from openmeet.domain.events import inputs
from openmeet.domain.events.content import FIELDS
from openmeet.domain.events.inputs import Input
from openmeet.domain.events.values import (
    MAX_ACCESS_NOTE,
    MAX_CATEGORIES,
    MAX_PRICE,
    Accessibility,
    Audience,
    Mode,
    Tickets,
    Venue,
)
from openmeet.domain.events.vocabulary import MAX_TAGS, AccessFeature, Category
from openmeet.i18n.catalogue import lazy
from openmeet.network.records.collections import DETAILS_KEY, EVENT
from openmeet.network.records.event_writer import is_up_to_date, publishable, write_event
from openmeet.network.records.extension import NOTHING_MORE, RecordDetails, is_zero, read_details, reader_of
from tests.openmeet.events.sample_event import sample_event
from tests.openmeet.records.event_values import OWN_EVENT

SAID = RecordDetails(
    is_all_day=True,
    tickets=Tickets("https://tickets.example", "5 €"),
    accessibility=Accessibility((AccessFeature.STEP_FREE,), "One step at the back door."),
    categories=(Category.GAMES,),
    tags=("chess",),
    languages=("de", "en"),
)


def test_the_lexicon_document_describes_every_detail():
    """Other apps read there what our records contain."""
    document = json.loads(Catalog().text(DETAILS_KEY) or b"")
    keys = {key for field in FIELDS for key in field.in_record}
    assert document["defs"]["main"]["properties"].keys() == {"isAllDay", *keys}


def test_numbers_are_read_as_numbers():
    """Zero is a value, too. A numeric string is read as a number, and a value out of bounds is not."""
    read = reader_of(Input("age", lazy("Age"), inputs.number(0, 99, "between 0 and 99")))
    assert [read(value) for value in (18, 0, "18", 100, -1, True, None, [18], 1.5)] == [18, 0, 18] + [None] * 6
    assert [is_zero(value) for value in (0, False, "", None, ())] == [True, False, False, False, False]


def test_choices_are_read_in_their_order():
    """Unknown choices, and those that are too many, are ignored in any field with choices."""
    read = reader_of(Input("modes", lazy("Modes"), inputs.several(Mode, at_most=2)))
    known, values = [*Mode], [one.value for one in Mode]
    assert [read(value) for value in (values[::-1], [values[1], "x", 1], [], "online", True, None, {})] == [
        (known[0], known[1]),
        (known[1],),
        *[()] * 5,
    ]


def test_details_are_read_back_and_their_record_is_valid():
    record = write_event(replace(OWN_EVENT, details=SAID), None)
    validate_record(Catalog(), EVENT, record)
    cbor.encode(record)
    assert read_details(record) == SAID


def test_an_event_without_details_writes_none():
    assert DETAILS_KEY not in write_event(OWN_EVENT, None)


def test_an_edit_keeps_fields_of_other_apps():
    """This site's keys change; an unknown key in the same object and the order of keys stay (invariant 6)."""
    record = write_event(replace(OWN_EVENT, details=SAID), None)
    record[DETAILS_KEY] = {"seatColour": "red", **record[DETAILS_KEY]}
    edited = write_event(replace(OWN_EVENT, details=replace_tags(SAID, ("go",))), record)
    assert edited[DETAILS_KEY] == {**record[DETAILS_KEY], "tags": ["go"]}
    emptied = write_event(replace(OWN_EVENT, details=NOTHING_MORE), edited)
    assert emptied[DETAILS_KEY] == {"seatColour": "red", "$type": DETAILS_KEY}


def test_unchanged_details_enqueue_nothing():
    record = write_event(replace(OWN_EVENT, details=SAID), None)
    assert is_up_to_date(replace(OWN_EVENT, details=SAID), record)
    assert not is_up_to_date(replace(OWN_EVENT, details=replace_tags(SAID, ())), record)


def test_nonsense_under_our_key_is_ignored():
    for nonsense in (None, 7, [], {"tags": "chess", "accessibility": [1], "isAllDay": "yes", "price": {}}):
        assert read_details({DETAILS_KEY: nonsense}) == NOTHING_MORE


def test_impossible_details_are_ignored():
    """Foreign records can contain anything: a script never becomes a link, lists have a maximum length, and tags are
    normalised.
    """
    read = read_details(
        {
            DETAILS_KEY: {
                "ticketUrl": "javascript:alert(1)",
                "price": "x" * 10_000,
                "accessibility": ["step_free", "levitation", 7],
                "accessibilityNote": "n\x00" * 50_000,
                "categories": [one.value for one in Category],
                "tags": ["#Chess", "chess", "  ", "t" * 500, *(f"tag {n}" for n in range(200))],
                "languages": [
                    "DE",
                    "no language",
                    "x" * 100_000,
                    *("en", "fr", "it", "es", "pt", "nl", "sv", "da", "fi"),
                ],
            }
        }
    )
    assert read.tickets.url == ""
    assert len(read.tickets.price) == MAX_PRICE
    assert read.accessibility.features == (AccessFeature.STEP_FREE,)
    assert len(read.accessibility.note) == MAX_ACCESS_NOTE
    assert "\x00" not in read.accessibility.note
    assert len(read.categories) == MAX_CATEGORIES
    assert read.tags == ("chess", *(f"tag {n}" for n in range(MAX_TAGS - 1)))
    assert read.languages == ("de", "en", "fr", "it", "es", "pt", "nl", "sv")


def test_restricted_details_are_in_no_record():
    """The address, entrance note and link leave no trace in the record's bytes. For a public event the same search
    finds them.
    """
    secrets = {
        "street": "Geheimgasse 7",
        "door": "Ring thrice",
        "link": "https://join.example/s3cret",
        "name": "Ana's flat",
    }
    event = sample_event(
        mode=Mode.HYBRID,
        venue=Venue(
            name=secrets["name"],
            street=secrets["street"],
            locality="Wien",
            country="AT",
            latitude="48.2",
            longitude="16.3",
        ),
        entry_instructions=secrets["door"],
        online_url=secrets["link"],
        place_audience=Audience.ATTENDEES,
    )
    assert found_in(event, secrets) == set()
    timed = replace(event, content=replace(event.content, online_url_audience=Audience.EVERYONE, online_url_from=60))
    assert found_in(timed, secrets) == set()
    open_to_all = replace(
        event,
        content=replace(event.content, online_url_audience=Audience.EVERYONE, place_audience=Audience.EVERYONE),
    )
    assert found_in(open_to_all, secrets) == {"street", "link", "name"}


def found_in(event, secrets):
    record = write_event(publishable(event, instance="https://meet.example"), None)
    body = cbor.encode(record)
    assert b"Wien" in body
    assert (b"48.2" in body) is (event.content.place_audience is Audience.EVERYONE)
    return {name for name, secret in secrets.items() if secret.encode() in body}


def replace_tags(details: RecordDetails, tags: tuple[str, ...]) -> RecordDetails:
    return RecordDetails(
        details.is_all_day,
        details.tickets,
        details.accessibility,
        details.categories,
        tags,
        details.languages,
    )
