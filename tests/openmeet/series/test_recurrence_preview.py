"""The dates of a rule are shown before it is saved: with a button, and while typing."""

import re
import subprocess
import sys
from datetime import date, datetime, timedelta

import httpx

from openmeet.domain.series import date_queries, queries
from openmeet.domain.series.model import SeriesSlug
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.web.series import recurrence_form
from openmeet.web.series.recurrence_form import MAX_SKIPPED
from tests.openmeet.series.series_forms import SERIES_FORM, ana, site
from tests.openmeet.site_under_test import Site, inputs_of

__all__ = ["ana", "site"]


async def test_all_day_dates_are_previewed_as_days(ana: httpx.AsyncClient) -> None:
    """With a script the browser sends only days. Without one it also sends times, which are ignored."""
    days = SERIES_FORM | {"all_day": "yes", "starts": "2026-03-03", "ends": "2026-03-04", "preview": "yes"}
    for sent in (days, days | {"starts": "2026-03-03T18:00", "ends": "2026-03-04T20:00"}):
        shown = (await ana.post("/events/new", data=sent)).text
        assert re.findall(r'type="(\S+)" value="(2026\S+)"', shown) == [("date", "2026-03-03"), ("date", "2026-03-04")]
        preview = shown.split("rule-preview")[1].split("</div>")[0]
        assert "Every Tuesday" in preview
        assert "Tue 10 Mar<" in preview
        assert "00:00" not in preview
        assert "18:00" not in preview
    again = (await ana.post("/events/new", data=days | {"all_day": ""})).text
    assert 'type="datetime-local" value="2026-03-03T00:00"' in again, "a browser would drop a day without a time"


async def test_the_dates_follow_the_typed_values(ana: httpx.AsyncClient) -> None:
    """The fragment is built from the form's fields. If a field is invalid or missing, the fragment shows the choices
    without dates.
    """
    fields = {name: SERIES_FORM[name] for name in ("starts", "ends", "time_zone", "repeats")}
    shown = await ana.get("/recurrence/preview", params=fields)
    assert shown.status_code == 200
    assert "<strong>Every Tuesday at 18:00, with no end</strong>" in shown.text
    assert "Tue 31 Mar, 18:00" in shown.text
    assert "<html" not in shown.text
    for wrong in (
        {"starts": "soon"},
        {"time_zone": "Mars/Base"},
        {"repeats": "FREQ=NEVER"},
        {"repeats": "custom", "custom_every": "0"},
    ):
        shown = await ana.get("/recurrence/preview", params=fields | wrong)
        assert shown.status_code == 200
        assert "<strong>" not in shown.text
        assert 'id="repeats"' in shown.text


async def test_dates_have_a_year_only_if_it_is_unclear(ana: httpx.AsyncClient) -> None:
    fields = {name: SERIES_FORM[name] for name in ("starts", "ends", "time_zone")} | {"repeats": "FREQ=YEARLY"}
    shown = (await ana.get("/recurrence/preview", params=fields)).text
    assert re.findall(r"<span>([^<]*, 18:00)", shown)[:2] == ["Tue 3 Mar, 18:00", "Wed 3 Mar 2027, 18:00"]


def test_the_form_shows_the_last_day_in_the_zone_of_the_series() -> None:
    """A rule from a calendar file ends at an instant, whose day in UTC can be another one."""
    for zone, until in (("Asia/Tokyo", "20261223T230000Z"), ("America/Los_Angeles", "20261225T020000Z")):
        rule = parse_rule(f"FREQ=DAILY;UNTIL={until}")
        values = recurrence_form.values_of(pattern(datetime.fromisoformat("2026-12-01T08:00"), zone, rule))
        assert values["ends_on"] == "2026-12-24"


async def test_the_preview_shows_sentence_and_dates_and_keeps_typed_values(ana: httpx.AsyncClient) -> None:
    shown = await ana.post("/events/new", data=SERIES_FORM | {"description": "Bring a stand", "preview": "yes"})
    assert shown.status_code == 200
    assert "<strong>Every Tuesday at 18:00, with no end</strong>" in shown.text
    assert "Tue 31 Mar, 18:00" in shown.text
    assert "Monthly on the first Tuesday" in shown.text or "first Tuesday" in shown.text
    assert "Bring a stand</textarea>" in shown.text
    assert inputs_of(shown.text)["title"] == "Practice"


def rows_of(html: str) -> list[tuple[str, bool, str]]:
    """The rows of a preview: day, whether it is skipped, and the name of its button."""
    part = html.split('"rule-preview"')[1].partition('<p class="actions')[0]
    rows = re.findall(r'<li( class="is-skipped")?>(.*?)</li>', part, re.DOTALL)
    return [
        (
            re.findall(r"\w{3} \d+ \w{3}", row)[0],
            bool(skipped),
            (re.findall(r'name="(\w+)" value', row) or [""])[0],
        )
        for skipped, row in rows
    ]


async def test_the_end_is_described_in_words(ana: httpx.AsyncClient) -> None:
    fields = {name: SERIES_FORM[name] for name in ("starts", "ends", "time_zone", "repeats")}
    for end, sentence in (
        ({"ends_how": "after", "ends_after": "10"}, "Every Tuesday at 18:00, 10 dates, the last on 5 May 2026"),
        ({"ends_how": "after", "ends_after": "1"}, "Every Tuesday at 18:00, 1 date, on 3 March 2026"),
        ({"ends_how": "on", "ends_on": "2026-03-31"}, "Every Tuesday at 18:00, 5 dates, the last on 31 March 2026"),
        ({"ends_how": "never", "ends_after": "10"}, "Every Tuesday at 18:00, with no end"),
        (
            {"ends_how": "after", "ends_after": "10", "skipped": "2026-05-05"},
            "Every Tuesday at 18:00, 9 dates, the last on 28 April 2026",
        ),
    ):
        shown = (await ana.get("/recurrence/preview", params=fields | end)).text
        assert f"<strong>{sentence}</strong>" in shown, end


async def test_form_of_a_later_date_names_the_end_of_the_series(ana: httpx.AsyncClient) -> None:
    """The dates of a rule are counted from the first date, also if the form was opened at a later one."""
    path = (await ana.post("/events/new", data=SERIES_FORM | {"ends_how": "after", "ends_after": "10"})).headers[
        "location"
    ]
    shown = (await ana.get(f"{path}/edit?date=2026-03-24T18:00:00")).text
    assert "Every Tuesday at 18:00, 10 dates, the last on 5 May 2026" in shown
    later = inputs_of(shown) | {"starts": "2026-03-24T19:00", "ends": "2026-03-24T21:00"}
    again = await ana.post(
        f"{path}/edit", data=SERIES_FORM | later | {"ends_how": "after", "ends_after": "10", "preview": "yes"}
    )
    assert "Every Tuesday at 19:00, 10 dates, the last on 5 May 2026" in again.text


async def test_a_date_is_skipped_and_restored_before_the_series_exists(ana: httpx.AsyncClient, site: Site) -> None:
    """The buttons of the form are enough. The typed text stays, and the series leaves the date out."""
    sent = SERIES_FORM | {"description": "Bring a stand", "ends_how": "after", "ends_after": "4"}
    first = (await ana.post("/events/new", data=sent | {"preview": "yes"})).text
    assert rows_of(first) == [
        ("Tue 3 Mar", False, ""),
        ("Tue 10 Mar", False, "skip"),
        ("Tue 17 Mar", False, "skip"),
        ("Tue 24 Mar", False, "skip"),
    ]
    second = (await ana.post("/events/new", data=sent | {"skip": "2026-03-10"})).text
    assert "Bring a stand</textarea>" in second
    kept = {"skipped": inputs_of(second)["skipped"]}
    third = (await ana.post("/events/new", data=sent | kept | {"skip": "2026-03-24"})).text
    kept = {"skipped": inputs_of(third)["skipped"]}
    assert [row for row in rows_of(third) if row[1]] == [
        ("Tue 10 Mar", True, "put_back"),
        ("Tue 24 Mar", True, "put_back"),
    ]
    fourth = (await ana.post("/events/new", data=sent | kept | {"put_back": "2026-03-24"})).text
    # Skipped dates are days, so changing the hour keeps them skipped.
    later = {"starts": "2026-03-03T19:00", "ends": "2026-03-03T21:00", "skipped": inputs_of(fourth)["skipped"]}
    made = await ana.post("/events/new", data=sent | later)
    assert made.status_code == 303
    async with site.db.reader() as reader:
        slug = made.headers["location"].rpartition("/")[2]
        series = await queries.by_slug(reader, SeriesSlug(slug))
        dates = await date_queries.stored(reader, series.id)
    assert series.timing.pattern.left_out == (datetime(2026, 3, 10, 19),)  # noqa: DTZ001  # wall time
    assert [one.event.starts_local[:10] for one in dates] == ["2026-03-03", "2026-03-17", "2026-03-24"]


async def test_a_draft_is_published_only_on_request(ana: httpx.AsyncClient) -> None:
    """Regression: in an earlier version the preview button of a draft published the draft."""
    begun = await ana.post("/events/new", data=SERIES_FORM | {"save": "draft"})
    path = begun.headers["location"]
    revision = {"revision": inputs_of((await ana.get(path)).text)["revision"]}
    for pressed in ({"preview": "yes"}, {"skip": "2026-03-10"}):
        shown = await ana.post(path, data=SERIES_FORM | revision | pressed)
        assert shown.status_code == 200
        assert "Tue 10 Mar" in shown.text
    await ana.post(path, data=SERIES_FORM | revision | {"skipped": "2026-03-10", "save": "draft"})
    assert inputs_of((await ana.get(path)).text)["skipped"] == "2026-03-10"


async def test_the_number_of_skipped_days_is_limited(ana: httpx.AsyncClient) -> None:
    fields = {name: SERIES_FORM[name] for name in ("starts", "ends", "time_zone")} | {"repeats": "FREQ=DAILY"}
    day = date(2026, 3, 4)
    many = ",".join((day + timedelta(days=number)).isoformat() for number in range(500))
    shown = (await ana.get("/recurrence/preview", params=fields | {"skipped": many, "skip": "2028-01-01"})).text
    assert inputs_of(shown)["skipped"].count(",") == MAX_SKIPPED - 1
    for odd in ("soon,,2026-13-41,99999-01-01", "2026-03-03", "0001-01-01", "9999-12-31", "٢٠٢٦-03-10"):
        answer = await ana.get("/recurrence/preview", params=fields | {"skipped": odd, "put_back": odd})
        assert answer.status_code == 200
        assert "is-skipped" not in answer.text, odd


async def test_dates_of_a_series_are_not_skipped_in_its_form(ana: httpx.AsyncClient) -> None:
    """People may have answered a date, so it is cancelled instead, and they are notified."""
    made = await ana.post("/events/new", data=SERIES_FORM)
    shown = (await ana.get(made.headers["location"] + "/edit")).text
    assert 'name="skip"' not in shown
    assert "Tue 10 Mar" in shown


async def test_public_holidays_are_those_of_the_places_country_or_the_zones(ana: httpx.AsyncClient) -> None:
    fields = {"starts": "2026-12-18T18:00", "time_zone": "Europe/Berlin", "repeats": "FREQ=WEEKLY;BYDAY=FR"}
    english = (await ana.get("/recurrence/preview", params=fields)).text
    assert re.findall(r'<span class="chip hold">(.*?)</span>', english)[:2] == ["Christmas Day", "New Year&#39;s Day"]
    german = (await ana.get("/recurrence/preview", params=fields, headers={"accept-language": "de"})).text
    assert "Erster Weihnachtstag" in german
    # In Israel it is an ordinary Friday.
    elsewhere = (await ana.get("/recurrence/preview", params=fields | {"country": "IL"})).text
    assert "Christmas" not in elsewhere
    nowhere = (await ana.get("/recurrence/preview", params=fields | {"time_zone": "UTC"})).text
    assert "chip hold" not in nowhere


def test_the_web_process_does_not_load_holiday_calendars() -> None:
    """The calendars take most of a second and 20 MB, so worker processes load them on first use."""
    code = "import sys, openmeet.app, openmeet.web.series.recurrence_form; sys.exit('holidays' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
