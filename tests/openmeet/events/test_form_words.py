"""Summaries of the collapsed sections of the event form."""

from openmeet.web.events.form_summaries import section_summaries


def test_an_empty_form_shows_the_defaults():
    words = section_summaries({"visibility": "public", "time_zone": "Europe/Berlin", "place_audience": "everyone"})
    assert words == {
        "clock": "Europe/Berlin",
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
    assert set(section_summaries({"capacity": "9" * 5_000})["places"]) == {*"9 …"}


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
        "clock": "Whole days, America/New York",
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
