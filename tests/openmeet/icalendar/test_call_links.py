"""Links to video calls are found, and removed from the public text together with the lines that belong to them."""

import pytest

from openmeet.domain.icalendar.call_links import call_of, is_call, without_call

MEET = "https://meet.google.com/abc-defg-hij"
ZOOM = "https://us02web.zoom.us/j/86012345678?pwd=abc"
TEAMS = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x/0?context=y"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (MEET, True),
        (ZOOM, True),
        (TEAMS, True),
        ("https://teams.live.com/meet/9312", True),
        ("https://meet.jit.si/OurRoom", True),
        ("https://cloud.example/call/a1b2c3d4", True),
        ("https://bbb.example/b/ana-abc-def", True),
        ("https://acme.webex.com/meet/ana", True),
        ("http://meet.google.com/abc-defg-hij", False),
        ("https://meet.google.com/", False),
        ("https://zoom.us/pricing", False),
        ("https://ana:pw@meet.jit.si/OurRoom", False),
        ("https://meet.google.com.evil.example/abc-defg-hij", False),
        ("https://www.meetup.com/choir/events/1", False),
    ],
)
def test_calls_are_recognised_by_their_urls(address: str, expected: bool) -> None:  # a table
    assert is_call(address) is expected


def test_the_operators_own_hosts_are_calls_too() -> None:
    own, text = ("meet.choir.example",), "We sing at https://meet.choir.example/Practice tonight."
    assert call_of([], [], "Library", "", text) is None
    found = call_of([], [], "Library", "", text, own)
    assert found is not None
    assert found.address == "https://meet.choir.example/Practice"
    others = (
        "https://meet.choir.example/",
        "https://meet.choir.example.evil.example/Practice",
        "http://meet.choir.example/P",
    )
    assert [is_call(one, own) for one in others] == [False] * 3


def test_the_first_field_with_a_call_link_wins() -> None:
    conferences = [("AUDIO", "tel:+49301"), ("AUDIO,VIDEO", ZOOM)]
    own = call_of([MEET], conferences, "", "", f"or {TEAMS}")
    assert own is not None
    assert own.address == MEET
    second = call_of([], conferences, "https://any.example/room", "", "")
    assert second is not None
    assert second.address == ZOOM
    place = call_of([], [], "https://any.example/room", "", "")
    assert place is not None
    assert place.address == "https://any.example/room"
    # The event's own page and other links in the text are not calls.
    assert call_of([], [], "Library", "https://www.meetup.com/choir/events/1", "See https://x.example/y") is None
    in_text = call_of([], [], "Library", "", f"We talk at {ZOOM}.\nBring tea.")
    assert in_text is not None
    assert (in_text.address, in_text.text) == (ZOOM, "Bring tea.")


GOOGLE = f"""Bring your scores.

-::~:~::~:~:~:~:~:~:~:~:~:~:~:~:~:~:~:~:~:~:~:~::~:~::-
Join with Google Meet: {MEET}
Or dial: (DE) +49 30 300195061 PIN: 123456789#
More phone numbers: https://tel.meet/abc-defg-hij?pin=1

Learn more about Meet at: https://support.google.com/a/users/answer/9282720

Please do not edit this section.
-::~:~::~:~:~:~:~:~:~:~:~:~:~:~:~:~:~:~:~:~:~:~::~:~::-

See you!"""
OF_TEAMS = f"""Agenda: tea.
________________________________________________________________________________
Microsoft Teams meeting
Join on your computer, mobile app or room device
[Click here to join the meeting]({TEAMS})
Meeting ID: 312 456 789
Passcode: aBc123
________________________________________________________________________________
Bring cake."""
OF_ZOOM = f"""We sing.

Ana is inviting you to a scheduled Zoom meeting.

Topic: Choir
Time: Mar 3, 2026 06:00 PM Berlin

Join Zoom Meeting
{ZOOM}

Meeting ID: 860 1234 5678
Passcode: 4711
One tap mobile
+493056795800,,86012345678# Germany"""


@pytest.mark.parametrize(
    ("text", "address", "kept", "secrets"),
    [
        (GOOGLE, MEET, "Bring your scores.\n\nSee you!", ["123456789", "tel.meet", "abc-defg-hij"]),
        (OF_TEAMS, TEAMS, "Agenda: tea.\nBring cake.", ["aBc123", "312 456", "meetup-join"]),
        (OF_ZOOM, ZOOM, "We sing.", ["4711", "86012345678", "860 1234"]),
        (
            f"Hello\nJoin: {MEET}\nPIN: 99\n\nBye\nPIN: not about it",
            MEET,
            "Hello\n\nBye\nPIN: not about it",
            ["99", "abc-defg"],
        ),
    ],
    ids=["google", "teams", "zoom", "lines"],
)
def test_lines_that_belong_to_a_call_are_removed(text: str, address: str, kept: str, secrets: list[str]) -> None:
    rest, cut = without_call(text, address)
    assert rest == kept
    for secret in secrets:
        assert secret not in rest
        assert any(secret in line for line in cut), secret


def test_a_text_without_a_call_stays_unchanged() -> None:
    text = "Time: 18:00\n\n\n\nPIN: bring yours\n---\n"
    assert without_call(text.strip(), MEET) == ("Time: 18:00\n\nPIN: bring yours\n---", ())
    assert call_of([], [], "", "", text) is None


def test_a_hostile_text_is_searched_once() -> None:
    rest, cut = without_call("PIN: 1\n" * 50_000 + f"Join with Google Meet\n{MEET}", MEET)
    assert rest == ""
    assert len(cut) == 50_002
