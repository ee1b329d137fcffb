"""Who sees the exact address, the call link and the access note: every case of one decision."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from groundwork.clock import MINUTE, Instant
from openmeet.domain.events.disclosure import private_details
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Audience, Mode, Venue
from openmeet.domain.users.model import UserId
from tests.openmeet.events.sample_event import sample_event

EXACT = Venue(name="Ana's flat", street="Ring 1", locality="Wien", country="AT", latitude="48.2", longitude="16.3")
START = Instant(1_800_000_000_000_000)
HOST, GUEST = UserId("host"), UserId("guest")

SAID = {
    "venue": EXACT,
    "mode": Mode.HYBRID,
    "online_url": "https://join.example/secret",
    "entry_instructions": "Ring twice",
}


def saying(**said: Any) -> Event:
    """The host's event with these fields changed."""
    return replace(sample_event(**(SAID | said)), author_id=HOST, starts_at=START)


EVENT = saying()


@pytest.mark.parametrize(("audience", "is_going", "is_host"), list(product(Audience, (True, False), (True, False))))
def test_each_part_is_shown_to_its_audience_and_to_hosts(audience, is_going, is_host):
    event = saying(place_audience=audience, online_url_audience=audience, entry_audience=audience)
    seen = private_details(event, HOST if is_host else GUEST, is_going=is_going, now=START)
    is_shown = is_host or is_going or audience is Audience.EVERYONE
    assert seen.place == (EXACT if is_shown else Venue(locality="Wien", country="AT"))
    assert seen.join_url == (event.content.online_url if is_shown else "")
    assert seen.entry_instructions == (event.content.entry_instructions if is_shown else "")
    assert {seen.hides_place, seen.hides_link, seen.hides_entry} == {not is_shown}


@pytest.mark.parametrize("part", ["place_audience", "online_url_audience", "entry_audience"])
def test_each_part_has_a_separate_audience(part):
    everywhere = dict.fromkeys(("place_audience", "online_url_audience", "entry_audience"), Audience.EVERYONE)
    event = saying(**{**everywhere, part: Audience.ATTENDEES})
    seen = private_details(event, None, is_going=False, now=START)
    hidden = {
        "place_audience": seen.hides_place,
        "online_url_audience": seen.hides_link,
        "entry_audience": seen.hides_entry,
    }
    assert hidden == {name: name == part for name in hidden}


@pytest.mark.parametrize("audience", list(Audience))
def test_the_link_is_shown_from_the_time_that_the_host_set(audience):
    event = saying(online_url_audience=audience, online_url_from=60)
    opens = Instant(START - 60 * MINUTE)
    before = private_details(event, GUEST, is_going=True, now=Instant(opens - 1))
    assert (before.join_url, before.hides_link, before.join_from) == ("", True, opens)
    after = private_details(event, GUEST, is_going=True, now=opens)
    assert (after.join_url, after.hides_link, after.join_from) == (event.content.online_url, False, None)
    assert private_details(event, HOST, is_going=False, now=Instant(0)).join_url == event.content.online_url


def test_without_a_start_a_link_with_a_time_waits():
    event = replace(saying(online_url_from=60, online_url_audience=Audience.EVERYONE), starts_at=None)
    assert private_details(event, GUEST, is_going=True, now=START).join_url == ""


def test_details_for_another_mode_are_for_the_host_only():
    online = saying(mode=Mode.ONLINE)
    assert private_details(online, GUEST, is_going=True, now=START).place == Venue()
    assert private_details(online, HOST, is_going=False, now=START).place == EXACT
    in_person = saying(mode=Mode.IN_PERSON)
    assert private_details(in_person, GUEST, is_going=True, now=START).join_url == ""
    assert private_details(in_person, HOST, is_going=False, now=START).join_url == EVENT.content.online_url


def test_signed_out_people_do_not_see_the_link():
    assert private_details(EVENT, None, is_going=False, now=START).hides_link
