"""Optional details of an event: validated as typed, stored, and read back unchanged."""

import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from groundwork.clock import DAY
from groundwork.errors import InvalidForm
from openmeet.domain.events import actions, queries, rules, time_and_place, vocabulary
from openmeet.domain.events.edits import details_in, length_of
from openmeet.domain.events.rules import Submission
from openmeet.domain.events.submissions import FIELDS, submission_of, values_of_event
from openmeet.domain.events.values import Audience, Mode, Venue
from openmeet.domain.events.vocabulary import ACCESS_LABELS, CATEGORY_LABELS, AccessFeature, Category
from openmeet.i18n import formatting
from openmeet.web.events.form_summaries import LABELS
from openmeet.web.site.time_tags import span_tags_in_two_lines
from tests.openmeet.site_under_test import details, person

EVERYTHING = {
    "place_audience": "attendees",
    "online_url_from": "60",
    "door_note": "Ring twice.\nSecond floor.",
    "door_audience": "everyone",
    "ticket_url": "https://tickets.example/42",
    "price": "5 € at the door",
    "access": "step_free,quiet_room",
    "access_note": "The lift takes one wheelchair.",
    "categories": "games,learning",
    "tags": "#Chess, cooperative  games, chess",
    "languages": "English, Deutsch, fr",
}


def problems_of(**typed: str) -> dict[str, str]:
    with pytest.raises(InvalidForm) as wrong:
        details(**typed)
    return wrong.value.problems


async def test_all_details_are_stored_and_read_back(make_database):
    """The row returns the details that were stored, and the form shows the normalised input."""
    db = await make_database("openmeet")
    said = details(**EVERYTHING)
    async with db.transaction() as tx:
        event = await actions.create(tx, await person(tx, "Ana"), said)
        found = await queries.by_id(tx, event.id)
        row = await tx.fetch_one("select search_words from events where id = :id", id=event.id)
    assert details_in(found) == said
    assert found.content.tags == ("chess", "cooperative games")
    assert found.content.languages == ("en", "de", "fr")
    assert [word for word in row["search_words"].split() if word.startswith("k=")] == [
        "k=category_3a_games",
        "k=category_3a_learning",
        "k=tag_3a_chess",
        "k=tag_3a_cooperative_20_games",
        "k=language_3a_en",
        "k=language_3a_de",
        "k=language_3a_fr",
        "k=access_3a_step_5f_free",
        "k=access_3a_quiet_5f_room",
    ]
    assert rules.check(Submission(**values_of_event(found)), found) == said


def test_checkboxes_of_a_form_become_lists():
    typed = {"access": "", "access.step_free": "yes", "access.captions": "yes", "categories": ""}
    submission = submission_of(typed)
    assert (submission.access, submission.categories) == ("step_free,captions", "")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("ticket_url", "javascript:alert(1)"),
        ("price", "x" * 121),
        ("access", "step_free,levitation"),
        ("access_note", "x" * 2_001),
        ("categories", "games,music,film,food"),
        ("categories", "gossip"),
        ("tags", ",".join(f"tag {number}" for number in range(11))),
        ("tags", "x" * 41),
        ("languages", "Klingonese"),
        ("languages", "en,de,fr,es,it,pl,tr,ar,uk"),
        ("door_note", "x" * 2_001),
        ("door_audience", "cats"),
        ("place_audience", ""),
        ("online_url_from", "-5"),
        ("online_url_from", "99999"),
    ],
)
def test_errors_are_shown_at_their_field(field, text):
    assert list(problems_of(**{field: text})) == [field]


def test_closed_lists_have_words_for_every_value():
    assert set(CATEGORY_LABELS) == set(Category)
    assert set(ACCESS_LABELS) == set(AccessFeature)
    assert set(FIELDS) <= set(LABELS)


@given(st.text(max_size=60))
def test_a_tag_has_one_spelling(text):
    """Normalising a tag twice changes nothing, and the tags shown in a form are parsed into the same list."""
    tag = vocabulary.normalised(text)
    assert vocabulary.normalised(tag) == tag
    assert unicodedata.is_normalized("NFKC", tag)
    if tag and len(tag) <= vocabulary.MAX_TAG:
        assert vocabulary.tags_in(vocabulary.joined((tag,))) == (tag,)


def test_all_day_events_last_from_midnight_to_midnight():
    said = details(all_day="yes", starts="2026-07-04T18:00", ends="2026-07-05")
    assert said.starts_local == "2026-07-04T00:00:00"
    assert said.ends_at - said.starts_at == 2 * DAY
    assert time_and_place.days_of(said) == (date(2026, 7, 4), date(2026, 7, 5))
    assert time_and_place.span_label(said) == "Saturday 4 July 2026 – Sunday 5 July 2026"
    assert time_and_place.clock_label(said) == "Until Sun 5 Jul"
    assert time_and_place.zone_label(said) == ""


def test_one_day_needs_no_end():
    said = details(all_day="yes", starts="2026-07-04", ends="")
    assert time_and_place.days_of(said) == (date(2026, 7, 4), date(2026, 7, 4))
    assert time_and_place.clock_label(said) == "All day"


@pytest.mark.parametrize(
    ("typed", "lines"),
    [
        ({}, ("Saturday 4 July", "18:00–20:00")),
        ({"ends": ""}, ("Saturday 4 July", "18:00")),
        ({"ends": "2026-07-05T02:00"}, ("Saturday 4 July, 18:00 – Sunday 5 July, 02:00", "")),
        ({"all_day": "yes", "starts": "2026-07-04", "ends": ""}, ("Saturday 4 July", "")),
    ],
)
def test_the_time_of_day_is_on_a_separate_line(typed, lines):
    day, clock = (Markup(part).striptags() for part in span_tags_in_two_lines(details(**typed), details().starts_at))
    assert (day, clock) == lines


@pytest.mark.parametrize(
    ("today", "day", "words"),
    [
        (date(2026, 12, 31), date(2026, 1, 1), "Thursday 1 January"),
        (date(2026, 12, 1), date(2027, 1, 31), "Sunday 31 January"),
        (date(2026, 12, 1), date(2027, 3, 1), "Monday 1 March 2027"),
        (date(2027, 1, 2), date(2026, 12, 31), "Thursday 31 December 2026"),
    ],
)
def test_a_date_has_its_year_only_if_it_is_not_near(today, day, words):
    assert formatting.day(day, today) == words


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-07-04", 24)])
def test_a_day_with_a_clock_change_is_one_day(day, hours):
    said = details(all_day="yes", starts=day, ends="")
    assert (said.ends_at - said.starts_at) * 24 // DAY == hours
    assert length_of(said) == DAY


def test_a_day_without_midnight_is_valid():
    """In Beirut clocks go forward at midnight, so the day begins at one o'clock. It is still that day."""
    said = details(all_day="yes", starts="2026-03-29", ends="", time_zone="Asia/Beirut")
    assert time_and_place.days_of(said) == (date(2026, 3, 29), date(2026, 3, 29))


def test_the_last_day_cannot_be_before_the_first():
    assert "ends" in problems_of(all_day="yes", starts="2026-07-04", ends="2026-07-03")


def test_an_all_day_event_today_is_not_over(clock):
    """An all-day event that began today needs no confirmation, unlike an event with a start time in the past."""
    said = details(all_day="yes", starts="2026-07-04", ends="")
    assert not rules.starts_in_the_past(said, None, said.starts_at + DAY // 2)
    assert rules.starts_in_the_past(said, None, said.starts_at + 2 * DAY)


def test_the_address_is_public_and_the_access_note_is_for_attendees_by_default():
    said = details()
    assert (said.content.place_audience, said.content.entry_audience) == (Audience.EVERYONE, Audience.ATTENDEES)


def test_a_country_alone_is_no_place() -> None:
    """Forms prefill the country, so it is often all there is."""
    assert time_and_place.lines_without_own_country(Venue(country="Germany"), "America/Lima") == ()
    assert time_and_place.place_lines(Mode.IN_PERSON, Venue(country="Germany"), hides_place=False) == [
        "Place to be announced"
    ]
    over = time_and_place.place_lines(Mode.IN_PERSON, Venue(), hides_place=False, is_over=True)
    assert over == ["No place given"], "nobody announces it any more"
    hidden = time_and_place.place_lines(Mode.IN_PERSON, Venue(country="Germany"), hides_place=True)
    assert hidden == ["The place is shown to people who are going", "Germany"]
