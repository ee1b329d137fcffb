"""An event of this site, written to a file and read into the form of a new event, is equal in everything that readers
of the file may see.
"""

from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from groundwork.clock import Instant
from openmeet.domain.events.content import differing
from openmeet.domain.events.edits import blank_event, with_details
from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.events.submissions import values_of_event
from openmeet.domain.events.values import Audience, Mode, Venue
from openmeet.domain.events.vocabulary import Category
from openmeet.domain.icalendar.write import vevent_of, write_calendar
from openmeet.domain.imports.calendar_file import parse_calendar
from openmeet.domain.series.calendar_uids import CalendarIdentity
from openmeet.domain.users.model import UserId
from tests.hypothesis_profiles import examples

NOW = Instant(1_800_000_000_000_000)
HOST = "openmeet.test"

_LETTERS = st.characters(exclude_categories=("C", "Z")) | st.sampled_from(",;:\\\"' ^")
_PARTS = st.text(_LETTERS, max_size=40).map(lambda text: " ".join(text.split()))
_TAGS = st.lists(
    st.sampled_from(("music", "go", "日本語", "o'clock", "a b", "über", "from the net")), max_size=4, unique=True
)


@st.composite
def submissions(draw: st.DrawFn) -> Submission:
    is_all_day = draw(st.booleans())
    day = draw(st.integers(1, 27))
    clock = f"{draw(st.integers(3, 21)):02}:{draw(st.integers(0, 59)):02}"
    return Submission(
        title="x" + draw(_PARTS),
        starts=f"2027-05-{day:02}T{clock}",
        ends=draw(st.sampled_from(("", f"2027-05-{day + 1:02}T{clock}"))),
        time_zone=draw(st.sampled_from(("Europe/Berlin", "UTC", "America/St_Johns", "Asia/Kathmandu"))),
        description=draw(st.text(_LETTERS | st.just("\n"), max_size=60)).strip(),
        mode=draw(st.sampled_from([mode.value for mode in Mode])),
        venue_name=draw(_PARTS),
        street=draw(_PARTS),
        postal_code=draw(_PARTS),
        locality=draw(_PARTS),
        region=draw(_PARTS),
        country=draw(st.sampled_from(("", "DE", "NP"))),
        point=draw(st.sampled_from(("", "52.52, 13.405"))),
        place_audience=draw(st.sampled_from([audience.value for audience in Audience])),
        online_url="https://meet.example/secret",
        all_day="yes" if is_all_day else "",
        categories=",".join(draw(st.lists(st.sampled_from([one.value for one in Category]), max_size=3, unique=True))),
        tags=",".join(draw(_TAGS)),
    )


@settings(max_examples=examples(200), deadline=None)
@given(typed=submissions(), status=st.sampled_from(list(EventStatus)), reason=_PARTS)
@example(
    typed=Submission(
        title="x\\N",
        starts="2027-05-01T18:00",
        time_zone="UTC",
        region="\\N",
        mode=Mode.IN_PERSON.value,
        place_audience=Audience.EVERYONE.value,
    ),
    status=EventStatus.CANCELLED,
    reason="C:\\New",
)
def test_any_event_survives_a_round_trip(
    typed: Submission,
    status: EventStatus,
    reason: str,
) -> None:
    event = with_details(blank_event(NOW, typed.title, UserId("u")), check(typed))
    is_cancelled = status is EventStatus.CANCELLED
    event = replace(event, status=status, status_reason=reason if is_cancelled else "")
    entry = vevent_of(
        event,
        CalendarIdentity(event.id, None, 1),
        host=HOST,
        url=f"https://{HOST}/events/x",
        description=event.content.description,
    )
    assert entry is not None
    file = write_calendar([entry], name="x")
    assert b"secret" not in file
    (found,) = parse_calendar(file, "UTC").events
    assert found.warnings == ()
    assert (found.is_cancelled, found.reason) == (is_cancelled, reason if is_cancelled else "")
    # The status is kept too: a tentative event stays tentative.
    assert found.named_status == (None if status in {EventStatus.SCHEDULED, EventStatus.CANCELLED} else status)
    back = with_details(blank_event(NOW, found.typed.title, UserId("v")), check(found.typed))
    # A place without readable text is written as coordinates only.
    there = event.place if event.place.lines else Venue(latitude=event.place.latitude, longitude=event.place.longitude)
    assert back.exact_place == there
    assert not {"title", "description", "mode", "categories", "tags"} & {*differing(back.content, event.content)}
    assert (back.starts_local, back.is_all_day) == (event.starts_local, event.is_all_day)
    if event.is_all_day:
        # A date has no zone (RFC 5545, section 3.3.4), so our files also name the zone of the day. An all-day event
        # always has an end.
        assert (back.starts_at, back.time_zone) == (event.starts_at, event.time_zone)
        days = [values_of_event(one)["ends"] or values_of_event(one)["starts"] for one in (event, back)]
        assert days[0][:10] == days[1][:10]
    else:
        assert (back.starts_at, back.ends_at, back.time_zone) == (event.starts_at, event.ends_at, event.time_zone)
