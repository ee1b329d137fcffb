"""What is read from an event page or a list of people before anything is stored. These functions are pure."""

import json

import pytest

from groundwork.errors import InvalidInput, TooLarge
from openmeet.domain.events.rules import check
from openmeet.domain.imports.calendar_file import parse_calendar
from openmeet.domain.imports.event_json_ld import parse_page
from openmeet.domain.imports.guest_list import means_no, parse_list
from openmeet.domain.imports.model import MAX_CSV, Column
from tests.openmeet.imports.sample_files import LUMA_GUESTS

EVENTBRITE = (
    "Order #,Order Date,First Name,Last Name,Email,Quantity,Ticket Type,Attendee Status\n"
    "123,2026-02-01,Ana,Silva,ana@example.org,1,Free,Attending\n"
)
MEETUP = (
    "Name\tUser ID\tTitle\tEvent Host\tRSVP\tGuests\tRSVPed on\tJoined Group on\tURL of Member Profile\n"
    "Ana S.\tuser 7\t\tNo\tYes\t0\tFebruary 1, 2026\tJanuary 1, 2020\thttps://meetup.example/7\n"
)


def test_a_luma_list_is_read() -> None:
    """Addresses are normalised and unique. People without one are listed with the reason."""
    found = parse_list(LUMA_GUESTS.encode())
    assert found.service == "Luma"
    assert [(row.line, row.name, row.email, row.status) for row in found.usable] == [
        (2, "Silva, Ana", "ana@example.org", "approved"),
        (3, "Ben Okri", "ben@example.org", "declined"),
    ]
    assert {row.line: row.problem for row in found.rows if row.problem} == {
        4: "This person is on the list twice.",
        5: "This isn’t an e-mail address.",
    }


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2027-03-02T18:00-05:00", "2027-03-03T02:00Z", "2027-03-02T21:00"),
        ("2027-03-13T22:00-05:00", "2027-03-14T04:00-04:00", "2027-03-14T03:00"),
        ("2027-03-02T18:00+01:00", "2027-03-02T20:00Z", "2027-03-02T21:00"),
        ("2027-03-27T22:00+01:00", "2027-03-28T06:00+02:00", "2027-03-28T06:00"),
    ],
)
def test_an_end_with_another_offset_than_the_start_is_the_same_instant(start: str, end: str, expected: str) -> None:
    node = {"@type": "Event", "name": "Talk", "startDate": start, "endDate": end}
    page = f'<script type="application/ld+json">{json.dumps(node)}</script>'
    (event,) = parse_page(page.encode(), "https://talks.example", "Europe/Berlin").events
    assert event.typed.ends == expected


def test_a_german_list_is_read() -> None:
    """Columns and statuses of a table with German words."""
    table = (
        "Vorname;Nachname;E-Mail-Adresse;Teilnahmestatus\n"
        "Ana;Silva;ana@example.org;Zugesagt\nBen;Okri;ben@example.org;Abgesagt\n"
        "Cleo;Marx;cleo@example.org;Auf der Warteliste\nDan;Roth;dan@example.org;Nein\n"
    )
    assert [(row.name, row.email, means_no(row.status)) for row in parse_list(table.encode()).usable] == [
        ("Ana Silva", "ana@example.org", False),
        ("Ben Okri", "ben@example.org", True),
        ("Cleo Marx", "cleo@example.org", True),
        ("Dan Roth", "dan@example.org", True),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_eventbrite_list_is_read(encoding: str) -> None:
    found = parse_list(EVENTBRITE.encode(encoding))
    assert (found.service, [row.email for row in found.usable]) == ("Eventbrite", ["ana@example.org"])
    assert found.usable[0].name == "Ana Silva"
    assert found.usable[0].status == "Attending"


def test_a_meetup_list_has_no_addresses() -> None:
    """The preview says that there are no addresses, and people are identified by name."""
    found = parse_list(MEETUP.encode())
    assert found.service == "Meetup"
    assert [(row.name, row.email, row.status, row.problem) for row in found.named] == [("Ana S.", "", "Yes", "")]
    assert "We found no column with e-mail addresses" in found.warnings[0]
    assert "won’t get an e-mail" in found.warnings[0]


def test_people_without_an_address_are_identified_by_name() -> None:
    """A row without name and address is skipped. A repeated name without an address is one person, and never merged
    with one that has an address.
    """
    found = parse_list(b"Name,Email,Table\nAna,,1\nAna,,2\nAna,ana@example.org,1\n,,1\n ,,2\nBen,no address,1\n")
    assert [(row.name, row.email) for row in found.usable] == [("Ana", ""), ("Ana", "ana@example.org")]
    assert {row.line: row.problem for row in found.rows if row.problem} == {
        3: "This person is on the list twice.",
        5: "There’s no e-mail address and no name.",
        6: "There’s no e-mail address and no name.",
        7: "This isn’t an e-mail address.",
    }


def test_columns_can_be_chosen() -> None:
    found = parse_list(b"wer;wo\nAna;ana@example.org\n", {"email": "wo", "name": "wer", "status": "made up"})
    assert [(row.name, row.email) for row in found.usable] == [("Ana", "ana@example.org")]
    assert Column.STATUS not in found.columns


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xff\xfe"])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_list(data)


def test_lists_are_bounded() -> None:
    with pytest.raises(TooLarge):
        parse_list(b"email\n" + b"a@example.org\n" * (MAX_CSV // 10))
    bomb = parse_list(b'email,note\na@example.org,"' + b"x" * 2_000_000 + b'"\nb@example.org,y\n')
    assert len(bomb.rows) <= 2
    assert parse_list(b"email\n" + b"=cmd|' /C calc'!A0\n" * 5).usable == []


def page(*nodes: object) -> bytes:
    scripts = "".join(f'<script type="application/ld+json">{json.dumps(node)}</script>' for node in nodes)
    return f"<html><head><title>A page</title>{scripts}<script>alert(1)</script></head></html>".encode()


EVENT = {
    "@context": "https://schema.org",
    "@type": "MusicEvent",
    "name": "Choir &amp; friends",
    "startDate": "2027-03-02T18:00:00+01:00",
    "endDate": "2027-03-02T20:00:00+01:00",
    "eventStatus": "https://schema.org/EventScheduled",
    "description": "<p>Come.</p><p>Sing <b>along</b>&#8230; &lt;3</p>",
    "url": "https://choir.example/2027",
    "location": {
        "@type": "Place",
        "name": "St Mary&#8217;s",
        "address": {
            "@type": "PostalAddress",
            "streetAddress": "Main Street 1",
            "addressLocality": "Berlin",
            "postalCode": "10178",
            "addressCountry": "DE",
        },
        "geo": {"@type": "GeoCoordinates", "latitude": 52.51, "longitude": "13.4"},
    },
}


@pytest.mark.parametrize("node", [EVENT, [EVENT], {"@graph": [{"@type": "WebPage"}, EVENT]}])
def test_an_event_page_is_read(node: object) -> None:
    """Times are in the importer's zone if it has the same offset, the place is split into its parts, and the text has
    no markup.
    """
    (found,) = parse_page(page(node), "https://choir.example/2027", "Europe/Berlin").events
    details = check(found.typed)
    assert details.content.title == "Choir & friends"
    assert (details.starts_local, details.time_zone) == ("2027-03-02T18:00:00", "Europe/Berlin")
    assert details.ends_at == details.starts_at + 2 * 3_600_000_000
    assert (details.content.venue.latitude, details.content.venue.longitude) == ("52.51", "13.4")
    assert details.content.venue.lines == ("St Mary’s", "Main Street 1", "10178 Berlin", "Germany")
    assert details.content.description == "Come.\nSing along… <3"
    assert found.uid == "page:https://choir.example/2027#2027-03-02T18:00"


def test_another_offset_online_whole_days_and_calling_off() -> None:
    away = {**EVENT, "startDate": "2027-03-02T18:00:00-05:00", "endDate": "2027-03-01T18:00:00-05:00", "location": []}
    online = {
        **EVENT,
        "startDate": "2027-03-02",
        "endDate": "2027-03-03",
        "location": {"@type": "VirtualLocation", "url": "https://talk.example/x"},
        "eventStatus": "https://schema.org/EventCancelled",
    }
    first, second = parse_page(page(away, online), "https://a.example/", "Europe/Berlin").events
    assert (first.typed.time_zone, first.typed.ends) == ("-05:00", "")
    assert "before the start" in first.warnings[0]
    assert (second.typed.all_day, second.typed.mode, second.is_cancelled) == ("yes", "online", True)
    assert check(second.typed).is_all_day


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>no script</html>",
        b'<script type="application/ld+json">{"@type": "Person"}</script>',
        b'<script type="application/ld+json">{not json}</script>',
        b'<script type="application/ld+json">' + b"[" * 5000 + b"</script>",
        page({"@type": ["Thing"], "startDate": 7}),
    ],
)
def test_pages_without_an_event(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_page(data, "https://a.example/", "UTC")


def test_a_hostile_page_is_harmless() -> None:
    """Wrong types, scripts in texts and endless lists are dropped."""
    odd = {
        "@type": "Event",
        "name": ["<b>x</b>", 7],
        "startDate": {"a": 1},
        "location": [7, None, {"@type": "Place", "address": 9}, {"@type": "VirtualLocation", "url": "javascript:x"}],
        "description": {"x": []},
        "url": 5,
    }
    found = parse_page(page([odd] * 2000), "https://a.example/", "UTC").events
    assert len(found) == 500
    assert found[0].typed.online_url == ""
    assert found[0].typed.starts == ""


def test_events_that_are_left_out_are_named_with_the_reason() -> None:
    """By their title, otherwise by a date. Entries of other kinds are counted."""
    lines = [
        *event_lines("SUMMARY:Choir\\, 2nd voice"),
        *event_lines("DTSTART:20261301T180000", "DTEND:20261201T200000"),
        *event_lines("SUMMARY:" + "x" * 300),
        *event_lines("SUMMARY:Fine", "DTSTART:20261201T180000Z"),
        *["BEGIN:VTODO", "END:VTODO"] * 2,
    ]
    found = parse_calendar(calendar_file(lines), "UTC")
    assert [one.typed.title for one in found.events] == ["Fine"]
    assert found.warnings == (
        "“Choir, 2nd voice” was left out. It doesn’t say when it starts.",
        "An event on Tuesday 1 December 2026 was left out. We can’t read when it starts.",
        f"“{'x' * 80}” was left out. It doesn’t say when it starts.",
        "2 entries aren’t events, such as tasks or notes, and were left out.",
    )


def test_of_many_events_that_are_left_out_the_first_ten_are_named() -> None:
    found = parse_calendar(
        calendar_file([line for n in range(1200) for line in event_lines(f"SUMMARY:Choir {n}")]), "UTC"
    )
    assert found.warnings[0] == "1,200 events were left out. These are the first 10:"
    assert found.warnings[1].startswith("“Choir 0” was left out")
    assert len(found.warnings) == 11


def event_lines(*lines: str) -> list[str]:
    return ["BEGIN:VEVENT", *lines, "END:VEVENT"]


def calendar_file(lines: list[str]) -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", *lines, "END:VCALENDAR", ""]).encode()
