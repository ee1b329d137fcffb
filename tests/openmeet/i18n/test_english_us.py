"""English (US): the words of English, with the dates, times and weeks of the United States."""

import re
from datetime import date, datetime
from pathlib import Path
from typing import Final

import pytest
from babel.messages.pofile import read_po

from groundwork.clock import HOUR, HandClock, Instant
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.i18n import catalogue, formatting
from openmeet.i18n.catalogue import choices, gettext, negotiated, speaking
from openmeet.recurrence.describe import describe
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.wall_time import instant_of
from openmeet.web.chat.view import time_in_sentence, time_label
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.i18n.mailing_site import MailingSite
from tests.openmeet.site_under_test import Site, event_by, person, sign_up, signed_in, site_on

_AMERICAN: Final = {"accept-language": "en-US,en;q=0.9"}
_BRITISH: Final = {"accept-language": "en-GB,en;q=0.9,en-US;q=0.8"}

# An evening, and its end.
_STARTS: Final = datetime(2026, 11, 24, 19)  # noqa: DTZ001
_ENDS: Final = datetime(2026, 11, 24, 21, 30)  # noqa: DTZ001
_MORNING: Final = datetime(2026, 11, 24, 9, 5)  # noqa: DTZ001


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


def _formats() -> list[str]:
    words = [
        formatting.clock(_STARTS),
        formatting.clock(_STARTS.replace(hour=0)),
        formatting.full_hour(19),
        formatting.hours(_STARTS, _ENDS),
        formatting.hours(_MORNING, _ENDS),
        "–".join(formatting.clocks(_STARTS, datetime(2026, 11, 25, 18))),  # noqa: DTZ001
        formatting.day_and_time(formatting.short_day(_STARTS), _STARTS),
        formatting.short_date(_STARTS),
        formatting.short_day(_STARTS, date(2025, 1, 1)),
        formatting.span(_STARTS, _ENDS),
        formatting.span(_STARTS, _ENDS, date(2026, 11, 1)),
        formatting.short_days(date(2026, 11, 24), date(2026, 11, 29)),
        formatting.long_date(Instant(1_795_500_000_000_000)),
        gettext("%(day)s %(time)s", day=formatting.weekday_in_short(_STARTS), time=formatting.clock(_STARTS)),
        formatting.weekday(formatting.first_weekday("Europe/Berlin")),
        formatting.number(1234.5),
    ]
    # No-break and thin spaces, as spaces.
    return [re.sub(r"\s", " ", one) for one in words]


_TABLE: Final = [
    ("19:00", "7:00 PM", "19:00"),
    ("00:00", "12:00 AM", "00:00"),
    ("19:00", "7 PM", "19:00"),
    ("19:00–21:30", "7:00–9:30 PM", "19:00–21:30 Uhr"),
    ("09:05–21:30", "9:05 AM–9:30 PM", "09:05–21:30 Uhr"),
    ("19:00–18:00", "7:00 PM–6:00 PM", "19:00–18:00"),
    ("Tue 24 Nov, 19:00", "Tue, Nov 24, 7:00 PM", "Di., 24. Nov., 19:00 Uhr"),
    ("Tue 24 Nov 2026", "Tue, Nov 24, 2026", "Di., 24. Nov. 2026"),
    ("Tue 24 Nov 2026", "Tue, Nov 24, 2026", "Di., 24. Nov. 2026"),
    (
        "Tuesday 24 November 2026, 19:00–21:30",
        "Tuesday, November 24, 2026, 7:00–9:30 PM",
        "Dienstag, 24. November 2026, 19:00–21:30 Uhr",
    ),
    (
        "Tuesday 24 November, 19:00–21:30",
        "Tuesday, November 24, 7:00–9:30 PM",
        "Dienstag, 24. November, 19:00–21:30 Uhr",
    ),
    ("24–29 Nov", "Nov 24 – 29", "24.–29. Nov."),
    ("24 November 2026", "November 24, 2026", "24. November 2026"),
    ("Tue 19:00", "Tue, 7:00 PM", "Di 19:00 Uhr"),
    ("Monday", "Sunday", "Montag"),
    ("1,234.5", "1,234.5", "1.234,5"),
]


@pytest.mark.parametrize(("language", "column"), [("en", 0), ("en-US", 1), ("de", 2)])
def test_each_language_has_its_formats(language: str, column: int) -> None:
    with speaking(language):
        assert _formats() == [row[column] for row in _TABLE]


def test_no_time_of_day_breaks_into_two_lines() -> None:
    with speaking("en-US"):
        assert formatting.clock(_STARTS) == "7:00\xa0PM"
        assert formatting.full_hour(19) == "7\xa0PM"


def test_a_time_in_a_sentence_of_a_chat_has_its_word() -> None:
    """In German, “bis 19:00 Uhr”, also if the time is today's. Next to a message the time is enough."""
    now, later = instant_of(_MORNING, "UTC"), instant_of(_STARTS, "UTC")
    with speaking("de"):
        assert time_label(later, now, "UTC") == "19:00"
        assert time_in_sentence(later, now, "UTC") == "19:00\xa0Uhr"


def test_it_is_offered_after_english() -> None:
    assert choices("en")[:2] == [("en", "English"), ("en-US", "English (US)")]


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("en-US,en;q=0.9", "en-US"),
        ("en-us", "en-US"),
        ("en", "en"),
        ("en-AU,en;q=0.9", "en"),
        (_BRITISH["accept-language"], "en"),
        ("en,en-US;q=0.9", "en"),
        ("de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", "de"),
        ("tlh,en-US;q=0.5", "en-US"),
    ],
)
def test_accept_language_selects_it(header: str, chosen: str) -> None:
    assert negotiated(header, "de") == chosen


def test_its_catalogue_has_only_what_differs() -> None:
    path: Path = catalogue.LOCALES / "en_US" / "LC_MESSAGES" / "openmeet.po"
    with path.open("rb") as file:
        messages = [one for one in read_po(file) if one.id]
    assert messages
    assert [one.id for one in messages if not any(one.string) or one.string == one.id] == []
    with speaking("en-US"):
        assert gettext("Cancelled") == "Cancelled"


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("FREQ=WEEKLY;BYDAY=TU", "Every Tuesday at 6:00 PM"),
        ("FREQ=YEARLY", "Every year on March 10 at 6:00 PM"),
        ("FREQ=YEARLY;INTERVAL=3", "Every 3 years on March 10 at 6:00 PM"),
        ("FREQ=YEARLY;INTERVAL=2", "Every other year on March 10 at 6:00 PM"),
        ("FREQ=WEEKLY;BYDAY=TU;UNTIL=20270304", "Every Tuesday at 6:00 PM, until March 4, 2027"),
    ],
)
def test_rules_of_series_are_american_sentences(rule: str, sentence: str) -> None:
    with speaking("en-US"):
        words = describe(pattern(datetime(2026, 3, 10, 18), "Europe/Berlin", parse_rule(rule)))  # noqa: DTZ001
    assert words.replace("\xa0", " ") == sentence


async def test_pages_lists_and_their_cache_follow_the_reader(site: Site) -> None:
    """The second visitor of each page gets it from the cache, which has one copy for each language."""
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Host"), ends="2026-07-04T20:30")
    readers = {
        "en-US": (_AMERICAN, "6:00–8:30\xa0PM", "Saturday, July 4"),
        "en": (_BRITISH, "18:00–20:30", "Saturday 4 July"),
    }
    for _ in range(2):
        for tag, (headers, hours, day) in readers.items():
            async with site.browser() as visitor:
                page = (await visitor.get(f"/events/{event.slug}", headers=headers)).text
                text = re.sub(r"</?time[^>]*>", "", page)
                assert (f'<html lang="{tag}"' in page, hours in text, day in text) == (True, True, True)
                listed = (await visitor.get("/?from=2026-07-01", headers=headers)).text
                assert hours.partition("–")[0] in listed
                assert ("PM" in listed) == (tag == "en-US")


async def test_errors_in_forms_and_in_the_api_use_it(site: Site) -> None:
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        typed = {"title": "Tea", "starts": "2026-03-29T02:30", "time_zone": "Europe/Berlin"}
        for headers, time in ((_AMERICAN, "3:30\xa0AM"), (_BRITISH, "03:30")):
            refused = await browser.post("/events/new", data=typed, headers=headers)
            assert refused.status_code == 400
            assert f"Choose {time} if you mean the time right after." in refused.text


async def test_weeks_begin_on_sunday(site: Site) -> None:
    async with site.db.transaction() as tx:
        host = await person(tx, "Host")
        group_path = f"/groups/{(await group_by(tx, host)).slug}"
    group = f"{group_path}/events?view=month&month=2026-03"
    columns = {group: r'<th scope="col" abbr="(\w+)">', "/my/calendar": r'<th scope="col"><abbr title="(\w+)">'}
    async with signed_in(site, host.user_id) as browser:
        for headers, first, week in ((_AMERICAN, "Sunday", "Mar 8 – 14"), (_BRITISH, "Monday", "9–15 Mar")):
            for path, column in columns.items():
                page = (await browser.get(path, headers=headers)).text
                assert re.findall(column, page)[0] == first, path
            page = (await browser.get("/my/calendar?view=week&on=2026-03-11", headers=headers)).text
            assert week in re.sub(r"\s", " ", page)
            form = (await browser.get("/events/new", headers=headers)).text
            assert re.findall(r'name="custom_day_(\w\w)"', form)[0] == first[:2].upper()
        # The person's own choice comes first.
        await browser.post("/settings/calendars/week", data={"week_start": "0"})
        page = (await browser.get("/my/calendar", headers=_AMERICAN)).text
        assert re.findall(columns["/my/calendar"], page)[0] == "Monday"


async def test_mail_follows_the_choice_of_its_recipient(site: Site) -> None:
    mailing = MailingSite(site, "en")
    async with site.db.transaction() as tx:
        host, ana, ben = await person(tx, "Host"), await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, host)
        for one in (ana, ben):
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
        await tx.execute("update users set language = 'en-US' where id = :id", id=ana.user_id)
        await event_hosting.cancel(tx, host, event.slug, reason="")
    site.clock.turn(HOUR)
    found = await mailing.subjects()
    assert found["ana@example.org"] == "Cancelled: Board games, Sat, Jul 4"
    assert found["ben@example.org"] == "Cancelled: Board games, Sat 4 Jul"
    (american,) = [one for one in mailing.sent if one.to == "ana@example.org"]
    assert "Saturday, July 4, 6:00–8:00\xa0PM" in american.text
    assert '<html lang="en-US" dir="ltr">' in american.html
