"""A series as Atom and JSON Feed: its next stored dates, the same for everybody with the URL."""

import re
from xml.etree import ElementTree as ET

import icalendar
import pytest
import recurring_ical_events

from groundwork.clock import DAY
from openmeet.domain.moderation import actions as moderation
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.series import cancel_dates, date_queries, queries
from tests.openmeet.series.series_forms import (
    FIRST_DATE,
    SECOND_DATE,
    THIRD_DATE,
    create_series,
    edit_form_at,
    only_series,
)
from tests.openmeet.site_under_test import person, sign_up, site_on

ATOM = "{http://www.w3.org/2005/Atom}"
KINDS = (("atom", "application/atom+xml"), ("json", "application/feed+json"))


@pytest.fixture
async def site(make_database, clock):
    return site_on(await make_database("openmeet"), clock)


@pytest.fixture
async def ana(site):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        yield browser


async def test_a_series_can_be_followed_in_feed_readers(site, ana):
    """Cancelled dates are marked, and removed and private ones are left out. The host gets the same file as everybody."""
    path = await create_series(ana, online_url="https://meet.example/secret", mode="hybrid")
    known = await only_series(site)
    async with site.db.transaction() as tx:
        series = await queries.lock(tx, known.id)
        assert series is not None
        await cancel_dates.cancel_dates(tx, series, [SECOND_DATE], "ill")
        await cancel_dates.remove_dates(tx, series, [THIRD_DATE])
    async with site.browser() as anybody:
        page = (await anybody.get(path)).text
        for kind, media_type in KINDS:
            assert f'type="{media_type}" title="Practice" href="{path}.{kind}"' in page
            assert f'<a href="{path}.{kind}">' in page
            got = await anybody.get(f"{path}.{kind}")
            assert got.headers["content-type"].split(";")[0] == media_type
            assert "secret" not in got.text
            assert (await ana.get(f"{path}.{kind}")).content == got.content
            for same in ({"if-none-match": got.headers["etag"]}, {"if-modified-since": got.headers["last-modified"]}):
                assert (await anybody.get(f"{path}.{kind}", headers=same)).status_code == 304
        found = (await anybody.get(f"{path}.json")).json()
        feed = ET.fromstring((await anybody.get(f"{path}.atom")).content)  # our own output
    titles = [item["title"] for item in found["items"]]
    assert titles[:3] == ["Practice", "Cancelled: Practice", "Practice"]
    days = [item["content_text"].split(",")[0] for item in found["items"]]
    assert days[:3] == ["Tuesday 3 March 2026", "Tuesday 10 March 2026", "Tuesday 24 March 2026"]
    assert [entry.findtext(f"{ATOM}title") for entry in feed.findall(f"{ATOM}entry")] == titles
    assert (found["title"], found["home_page_url"]) == ("Practice", f"http://openmeet.test{path}")
    links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    assert links == {"alternate": f"http://openmeet.test{path}", "self": f"http://openmeet.test{path}.atom"}


async def test_a_change_gives_a_new_etag_and_date(site, ana):
    path = await create_series(ana)
    before = await ana.get(f"{path}.json")
    site.clock.turn(DAY // 24)
    await ana.post(f"{path}/cancel", data={"which": "some", f"date_{FIRST_DATE}": "yes"})
    for known in ({"if-none-match": before.headers["etag"]}, {"if-modified-since": before.headers["last-modified"]}):
        assert (await ana.get(f"{path}.json", headers=known)).status_code == 200


def starts_in(file: bytes, last: tuple[int, int, int] = (2026, 6, 30)) -> list[tuple[str, str, str]]:
    """Day, title and status of every date that a calendar program shows from March on."""
    found = recurring_ical_events.of(icalendar.Calendar.from_ical(file)).between((2026, 3, 1), last)
    return sorted((one["DTSTART"].dt.isoformat()[:16], str(one["SUMMARY"]), str(one["STATUS"])) for one in found)


async def split_at(browser, path: str, date: str, **changes: str) -> str:
    """Edit this date and the following ones. Return the path of the new series."""
    answer = await browser.post(
        f"{path}/edit", data=await edit_form_at(browser, path, date) | {"scope": "following"} | changes
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def test_the_calendar_continues_with_the_parts_of_a_split_series(site, ana):
    """The first part's file has every date once: its dates up to the split, then those of the later parts, in all
    formats.
    """
    path = await create_series(ana)
    before = starts_in((await ana.get(f"{path}.ics")).content)
    tag = (await ana.get(f"{path}.json")).headers["etag"]
    second = await split_at(ana, path, THIRD_DATE, title="Rehearsal")
    third = await split_at(ana, second, "2026-03-31T18:00:00", title="Concerts")
    async with site.browser() as anybody:
        file = (await anybody.get(f"{path}.ics")).content
        titles = {day: title for day, title, _ in starts_in(file)}
        assert sorted(titles) == [day for day, _, _ in before], "each date is there, and once"
        assert [titles[day[:16]] for day in (FIRST_DATE, SECOND_DATE, THIRD_DATE)] == [
            "Practice",
            "Practice",
            "Rehearsal",
        ]
        assert titles["2026-04-07T18:00"] == "Concerts"
        assert re.findall(r"UNTIL=(\w+)", file.decode()) == ["20260310T170000Z", "20260324T170000Z"]
        later = starts_in((await anybody.get(f"{second}.ics")).content)
        assert [day for day, _, _ in later] == [day for day, _, _ in before if day >= THIRD_DATE[:16]]
        found = (await anybody.get(f"{path}.json", headers={"if-none-match": tag})).json()["items"]
        assert [one["title"] for one in found][:5] == ["Practice"] * 2 + ["Rehearsal"] * 2 + ["Concerts"]
        assert len({one["id"] for one in found}) == len(found) == 9
        feed = ET.fromstring((await anybody.get(f"{path}.atom")).content)  # our own output
        assert [one.findtext(f"{ATOM}title") for one in feed.findall(f"{ATOM}entry")] == [one["title"] for one in found]
        page = (await anybody.get(path)).text
        assert f'Continued by <a href="{second}">Rehearsal</a>' in page
    await ana.post(f"{second}/delete", data={"dates": "delete"})
    days = [day for day, _, _ in starts_in((await ana.get(f"{path}.ics")).content)]
    assert days == [day for day, _, _ in before if not THIRD_DATE[:16] <= day < "2026-03-31"], (
        "the last half is found after a gap"
    )
    assert third


@pytest.mark.parametrize("visibility", ["private", "unlisted"])
async def test_a_part_for_fewer_people_is_shown_to_nobody_else(site, ana, visibility):
    path = await create_series(ana)
    inner = await split_at(ana, path, THIRD_DATE, title="Inner circle", visibility=visibility)
    async with site.browser() as anybody:
        for address in (path, *(f"{path}.{kind}" for kind in ("ics", "atom", "json")), f"/api{path}"):
            shown = (await anybody.get(address)).text
            assert "Inner circle" not in shown, address
            assert inner not in shown, address
            assert inner.removeprefix("/series/") not in shown, address
    assert f'Continued by <a href="{inner}">Inner circle</a>' in (await ana.get(path)).text
    assert "Inner circle" in (await ana.get(f"{path}.ics")).text


async def test_dates_withheld_by_moderators_are_left_out_of_the_calendar(site, ana):
    """Nobody else reads their texts, or learns from the date of the file when they were changed."""
    path = await create_series(ana)
    form = await edit_form_at(ana, path, SECOND_DATE) | {"title": "Forbidden", "scope": "this"}
    assert (await ana.post(f"{path}/edit", data=form)).status_code == 303
    series = await only_series(site)
    async with site.db.transaction() as tx:
        event = await date_queries.date_of(tx, series.id, SECOND_DATE)
        mo = await person(tx, "Mo")
        subject = Subject(ModeratedKind.EVENT, event.id)
        await moderation.decide(tx, mo.user_id, subject, SubjectVisibility.HIDDEN, "spam")
    async with site.browser() as anybody:
        before = await anybody.get(f"{path}.ics")
        assert "Forbidden" not in before.text
        days = [day for day, _, _ in starts_in(before.content)]
        assert SECOND_DATE[:16] not in days
        assert {FIRST_DATE[:16], THIRD_DATE[:16]} <= set(days)
        site.clock.turn(DAY // 24)
        form = await edit_form_at(ana, path, SECOND_DATE) | {"title": "Still forbidden", "scope": "this"}
        assert (await ana.post(f"{path}/edit", data=form)).status_code == 303
        after = await anybody.get(f"{path}.ics")
        assert (after.content, after.headers["last-modified"]) == (before.content, before.headers["last-modified"])
    assert "Still forbidden" in (await ana.get(f"{path}.ics")).text


async def test_private_dates_are_in_the_calendar_of_those_who_may_see_them(site, ana):
    """The series is public, and one of its dates is for invited people only."""
    path = await create_series(ana)
    form = await edit_form_at(ana, path, SECOND_DATE) | {
        "title": "Inner circle",
        "visibility": "private",
        "scope": "this",
    }
    assert (await ana.post(f"{path}/edit", data=form)).status_code == 303
    async with site.browser() as anybody:
        shown = await anybody.get(f"{path}.ics")
        assert "Inner circle" not in shown.text
        assert SECOND_DATE[:16] not in [day for day, _, _ in starts_in(shown.content)]
    assert "Inner circle" in (await ana.get(f"{path}.ics")).text


async def test_an_inactive_series_has_only_its_stored_dates_in_a_calendar(site, ana):
    path = await create_series(ana)
    await ana.post(f"{path}/pause", data={"reason": "Summer"})
    days = [day for day, _, _ in starts_in((await ana.get(f"{path}.ics")).content)]
    assert (len(days), days[-1]) == (9, "2026-04-28T18:00")
    await ana.post(f"{path}/resume", data={"is_silent": ""})
    assert len(starts_in((await ana.get(f"{path}.ics")).content)) == 17


async def test_dates_before_a_cancellation_stay_confirmed(site, ana):
    """The calendar of a cancelled series keeps past and reinstated dates as confirmed."""
    path = await create_series(ana)
    site.clock.turn(5 * DAY)
    await ana.post(f"{path}/cancel", data={"which": "all"})
    await ana.post(f"{path}/manage", data={"act": "reinstate", f"date_{THIRD_DATE}": "yes", "confirmed": "yes"})
    statuses = {day: status for day, _, status in starts_in((await ana.get(f"{path}.ics")).content)}
    assert [statuses[day[:16]] for day in (FIRST_DATE, SECOND_DATE, THIRD_DATE)] == [
        "CONFIRMED",
        "CANCELLED",
        "CONFIRMED",
    ]
    assert len(statuses) == 9


async def test_a_cancelled_series_begins_with_an_existing_date(site, ana):
    """The first date of the rule was never created. The series has an extra date before it."""
    path = await create_series(ana)
    await ana.post(f"{path}/extra-date", data={"extra": "2026-03-05T10:00"})
    await ana.post(f"{path}/cancel", data={"which": "all"})
    form = await edit_form_at(ana, path, "2026-03-05T10:00:00")
    answer = await ana.post(f"{path}/edit", data=form | {"scope": "following", "repeats": "FREQ=YEARLY;BYMONTH=6"})
    half = answer.headers["location"]
    days = [day for day, _, _ in starts_in((await ana.get(f"{half}.ics")).content, (2027, 12, 31))]
    async with site.db.reader() as reader:
        series = await queries.by_slug(reader, half.removeprefix("/series/"))
        assert series is not None
        stored = [
            one.event.starts_local[:16] for one in await date_queries.stored(reader, series.id) if not one.event.is_gone
        ]
    assert stored
    assert days == stored
