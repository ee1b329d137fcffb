"""Any input to the form gives an event or an error message at each wrong field, and changes nothing in part."""

from dataclasses import fields

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from groundwork.errors import InvalidForm
from openmeet.domain.events import rules
from openmeet.domain.events.edits import new_slug
from openmeet.domain.events.model import Details
from openmeet.domain.events.rules import Submission
from openmeet.domain.events.submissions import FIELDS, pack, unpack, values_of_event
from openmeet.domain.events.values import Audience, Mode, Visibility
from openmeet.i18n.markdown import html_of
from tests.hypothesis_profiles import examples
from tests.openmeet.site_under_test import inputs_of, sign_up, site_on

NASTY = st.sampled_from(
    [
        "<script>alert(1)</script>",
        "javascript:alert(1)",
        "https://user:secret@host/",
        "https://[::1",
        "\u202egnihsihp",
        "\u0000",
        "''; drop table events; --",
        "{{ 7 * 7 }}",
        "%s%n%x",
        "٢٠٢٦-٠٧-٠٤",
        "2026-02-30T10:00",
        "0001-01-01T00:00",
        "9999-12-31T23:59",
        "2026-03-29T02:30",
        "Europe/Atlantis",
        "+25:00",
        "../../etc/passwd",
        "１２",
        "-1",
        "1e9",
        "99999999",
        "9" * 5_000,  # Python does not convert it to a number
        "x" * 30_000,
        "é" * 201,
        ",,,,",
        "everyone",
        "yes",
    ]
)
ANYTHING = NASTY | st.text(max_size=60)
TIMES = st.datetimes().map(lambda at: at.isoformat()) | st.dates().map(lambda day: day.isoformat()) | ANYTHING

# Mostly values that a form really sends, so that some of them make an event.
LIKELY = {
    "title": st.text(max_size=60) | NASTY,
    "starts": st.just("2026-07-04T18:00") | TIMES,
    "ends": st.just("") | TIMES,
    "time_zone": st.sampled_from(["Europe/Berlin", "UTC", "Asia/Kathmandu", "+05:30", "America/St_Johns"]) | ANYTHING,
    "description": ANYTHING,
    "mode": st.sampled_from([mode.value for mode in Mode]) | ANYTHING,
    "visibility": st.sampled_from([one.value for one in Visibility]) | ANYTHING,
    "all_day": st.sampled_from(["", "yes"]),
    "capacity": st.just("") | ANYTHING,
    "country": st.sampled_from(["", "DE", "France"]) | ANYTHING,
    "online_url_from": st.sampled_from(["", "0", "60"]) | ANYTHING,
    "point": st.sampled_from(["", "52.52, 13.405", "geo:-0.5,+180", "https://osm.example/#map=3/1/2", "x" * 2_001])
    | ANYTHING,
    "access": st.sampled_from(["", "step_free,captions"]) | ANYTHING,
    "categories": st.sampled_from(["", "games"]) | ANYTHING,
    "languages": st.sampled_from(["", "de, English"]) | ANYTHING,
    **{
        name: st.sampled_from([one.value for one in Audience]) | ANYTHING
        for name in ("online_url_audience", "place_audience", "door_audience")
    },
}
RIGHT = {"title": "Tea", "starts": "2026-07-04T18:00", "time_zone": "Europe/Berlin"}

# At most a few fields differ from a valid form. Otherwise everything would be refused because of the first one.
TYPED = st.sets(st.sampled_from(FIELDS), max_size=4).flatmap(
    lambda names: st.fixed_dictionaries({name: LIKELY.get(name, ANYTHING) for name in sorted(names)}).map(
        lambda odd: RIGHT | odd
    )
)


def judged(typed: dict[str, str]) -> Details | dict[str, str]:
    """Return the event, or the errors by field. Any other exception is a bug."""
    try:
        return rules.check(Submission(**typed))
    except InvalidForm as wrong:
        return wrong.problems


@settings(max_examples=examples(150), deadline=None)
@given(TYPED)
def test_any_input_is_an_event_or_errors_at_fields(typed):
    """Converting an event to form input and back changes nothing, so saving an unedited form leaves the event as it is."""
    details = judged(typed)
    if not isinstance(details, Details):
        assert set(details) <= set(FIELDS)
        assert all(details.values())
        return
    assert details.ends_at is None or details.ends_at >= details.starts_at
    again = rules.check(Submission(**values_of_event(details)))
    differing = [one.name for one in fields(Details) if getattr(again, one.name) != getattr(details, one.name)]
    assert differing == []


@given(TYPED)
@settings(max_examples=50, deadline=None)
def test_a_draft_keeps_every_character(typed):
    assert unpack(pack(Submission(**typed), {})) == Submission(**typed)


async def test_a_form_with_a_number_of_thousands_of_digits_is_shown_again(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.browser() as client:
        await sign_up(client, "ana@example.org", "Ana")
        form = RIGHT | inputs_of((await client.get("/events/new")).text)
        for name in ("capacity", "cover_shuffle"):
            answer = await client.post("/events/new", data={**form, "title": "", name: "9" * 5_000})
            assert answer.status_code == 400, name


@given(st.text(max_size=80))
def test_a_slug_has_letters_digits_and_hyphens_of_any_script(title):
    slug = new_slug(title)
    assert regex.fullmatch(r"(\p{L}\p{M}*|[\p{N}-])+", slug)
    assert len(slug) <= 60
    assert slug not in {"new", "drafts"}
    assert not slug.startswith("-")


@pytest.mark.parametrize(
    ("title", "begins"),
    [
        ("Čaj o páté", "caj-o-pate-"),
        ("お茶の時間", "お茶の時間-"),
        ("شاي في الحديقة", "شاي-في-الحديقة-"),
        ("Чай в парке", "чай-в-парке-"),
        ("🎉🎉🎉", "event-"),
        ("<script>", "script-"),
        ("a/../b?c#d", "a-b-c-d-"),
    ],
)
def test_titles_in_every_script_have_slugs(title, begins):
    assert new_slug(title).startswith(begins)


@given(NASTY | st.text(alphabet="<>\"'&[]()!`*_-=:/ script onerror javascript", max_size=80))
def test_no_description_runs_a_script(text):
    html = html_of(text)
    assert "<script" not in html.lower()
    assert not regex.search(r"<[^>]*\son\w+\s*=", html, regex.IGNORECASE)
    assert not regex.search(r'href="\s*javascript:', html, regex.IGNORECASE)


async def test_an_event_in_any_script_has_a_page_that_is_found(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        for title in ("お茶の時間", "شاي في الحديقة", '<b>Tea</b> & "cake"'):
            form = inputs_of((await browser.get("/events/new")).text)
            typed = {"title": title, "starts": "2026-07-04T18:00", "time_zone": "UTC", "description": title}
            made = await browser.post("/events/new", data=form | typed)
            assert made.status_code == 303
            assert made.headers["location"].isascii()
            page = await browser.get(made.headers["location"])
            assert page.status_code == 200
            assert "<b>Tea" not in page.text
