"""Summaries of the collapsed sections of the event form, and the words for chosen values."""

from typing import Literal, get_args, get_origin

from openmeet.domain.events.content import INPUTS
from openmeet.web.events.form_summaries import _CHOICES, section_summaries, value_label


def test_every_input_with_fixed_values_has_words_for_each():
    """Without them, people who compare two values would read “step_free”."""
    choices = {
        one.name: set(one.kind.boxes or get_args(one.kind.json))
        for one in INPUTS
        if one.kind.boxes or get_origin(one.kind.json) is Literal
    }
    assert {name: values - _CHOICES.get(name, {}).keys() for name, values in choices.items()} == {
        name: set() for name in choices
    }
    assert "mode" in choices


def test_chosen_values_are_readable():
    assert value_label("access", "step_free,hearing_loop") == "Step-free access, Hearing loop"
    assert value_label("country", "DE") == "Germany"
    assert [value_label("all_day", text) for text in ("yes", "")] == ["yes", "no"]
    assert [value_label(name, "") for name in ("access", "country", "title", "online_url_from")] == [
        "",
        "",
        "",
        "Immediately",
    ]
    assert value_label("online_url_from", "45") == "45"
    assert value_label("title", "public") == "public"


def test_an_empty_form_shows_the_defaults():
    words = section_summaries({"visibility": "public", "time_zone": "Europe/Berlin", "place_audience": "everyone"})
    assert words == {
        "clock": "Berlin time",
        "address": "",
        "privacy": "Everyone sees it",
        "places": "No limit, public",
        "afterwards": "For good",
        "topics": "None yet",
        "tickets": "None yet",
        "accessibility": "None yet",
    }


def test_a_limit_that_no_computer_can_read_is_shown_as_typed():
    """The page with the form shows the problem. Python reads no number of 5,000 digits."""
    assert set(section_summaries({"capacity": "9" * 5_000})["places"]) == {*"9 …\u200b"}


def test_long_words_can_be_broken():
    said = section_summaries({"price": "Donaudampfschifffahrt", "region": "Baden-Württemberg"})
    assert said["tickets"] == "Donaudam\u200bpfschiff\u200bfahrt"
    assert "Baden-Württemberg" in said["address"]


def test_the_summaries_show_what_is_set():
    """The summaries include unsaved choices, and use the singular for one place."""
    words = section_summaries(
        {
            "all_day": "yes",
            "time_zone": "America/New_York",
            "street": "Luisenstr. 3",
            "country": "DE",
            "point": "52.5, 13.4",
            "place_audience": "attendees",
            "door_note": "Ring twice",
            "capacity": "1",
            "visibility": "unlisted",
            "remove_after": "week",
            "categories": "",
            "categories.games": "yes",
            "tags": "beginners",
            "price": "5 €",
            "ticket_url": "https://x.example",
            "access": "step_free,hearing_loop",
        }
    )
    assert words == {
        "clock": "Whole days, New York time",
        "address": "Luisenstr. 3, Germany, on the map",
        "privacy": "Only people who are going see it, with how to get in",
        "places": "1 place, unlisted",
        "afterwards": "For a week",
        "topics": "Games, beginners",
        "tickets": "5 €, link to tickets",
        "accessibility": "Step-free access, Hearing loop",
    }


def test_long_summaries_are_cut_between_words():
    said = section_summaries({"access_note": "word " * 40})["accessibility"]
    assert said.endswith("word …")
    assert len(said) <= 62
