"""Answers as records: read from every dialect, written under a record key that is derived from the event."""

import json

import pytest

from at_protocol.failures import Malformed
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.validate import validate_record
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.datetime import parse_datetime
from groundwork.clock import Instant
from openmeet.domain.attendance.model import AttendanceStatus, RsvpRecordStatus
from openmeet.domain.identities.publishing_preferences import DeclinedAs, PublishingPreferences, WaitingAs
from openmeet.network.records.collections import RSVP
from openmeet.network.records.reading_notes import Unmappable
from openmeet.network.records.rsvp import NoStatusToken, read_rsvp, record_key_for, status_token, write_rsvp
from tests.external_dependencies import fixture_path, needs

WISHES = [PublishingPreferences(declined_as=no, waiting_as=waiting) for no in DeclinedAs for waiting in WaitingAs]
NOW = Instant(parse_datetime("2026-11-20T08:00:00Z"))
EVENT_URI = "at://did:plc:4hodhjl2kposuchzvpiviwps/community.lexicon.calendar.event/3mqdau33ozs2n"
CID = "bafyreiflfb2v3igpb6z3l5m7ap535hmlrl63ejn5jybuefjfwhbesybud4"


def answer(**fields: object) -> dict[str, object]:
    return {"$type": RSVP, "subject": {"uri": EVENT_URI, "cid": CID}, "status": f"{RSVP}#going", **fields}


def test_the_record_key_is_derived_from_the_event():
    assert record_key_for(parse_at_uri(EVENT_URI)) == "axesruraj3rsw"


def test_the_record_key_needs_a_did():
    with pytest.raises(Malformed):
        record_key_for(parse_at_uri("at://ana.example/community.lexicon.calendar.event/3mqdau33ozs2n"))


@needs("fixtures")
def test_captured_answers():
    listed = json.loads(fixture_path("data/calendar-records/rsvp-going-listrecords.json").read_text())
    read = read_rsvp(RSVP, listed["value"], rkey="eeab17d5ccf0d")
    assert (str(read.subject), read.subject_cid, read.status) == (EVENT_URI, CID, RsvpRecordStatus.GOING)
    odd = json.loads(fixture_path("data/calendar-records/nonconforming-shapes.json").read_text())["rsvp"]
    read = read_rsvp(RSVP, odd["record"], rkey=odd["rkey"])
    assert (read.status, read.subject_cid) == (RsvpRecordStatus.GOING, None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (f"{RSVP}#going", RsvpRecordStatus.GOING),
        ("events.smokesignal.calendar.rsvp#interested", RsvpRecordStatus.INTERESTED),
        ("maybe", RsvpRecordStatus.INTERESTED),
        ("yes", RsvpRecordStatus.GOING),
        ("not-going", RsvpRecordStatus.NOT_GOING),
        ("declined", RsvpRecordStatus.NOT_GOING),
        ("no", RsvpRecordStatus.NOT_GOING),
        ("teleporting", RsvpRecordStatus.UNCLEAR),
        (7, RsvpRecordStatus.UNCLEAR),
        (None, RsvpRecordStatus.GOING),
    ],
)
def test_statuses_of_every_app_are_read(status, expected):
    assert read_rsvp(RSVP, answer(status=status), rkey="x").status is expected


@pytest.mark.parametrize(
    "subject",
    [
        None,
        {},
        {"uri": "https://example.org"},
        {"uri": "at://did:plc:4hodhjl2kposuchzvpiviwps"},
        {"uri": "at://did:plc:4hodhjl2kposuchzvpiviwps/app.bsky.feed.post/3mqdau33ozs2n"},
        {"uri": 5},
    ],
)
def test_an_answer_to_no_event_is_kept_raw(subject):
    with pytest.raises(Unmappable):
        read_rsvp(RSVP, answer(subject=subject), rkey="x")


def test_precedence_is_created_at_then_key_time_then_key():
    """The order depends only on the records that exist. An impossible ``createdAt`` counts as missing."""
    older = read_rsvp(RSVP, answer(createdAt="2026-01-01T00:00:00Z"), rkey="zz").precedence
    newer = read_rsvp(RSVP, answer(createdAt="2026-01-02T00:00:00Z"), rkey="aa").precedence
    keyed = read_rsvp(RSVP, answer(createdAt="yesterday"), rkey="3mqdau33ozs2n").precedence
    plain = read_rsvp(RSVP, answer(), rkey="aa").precedence
    assert plain < keyed < older < newer


def test_every_combination_of_what_is_published_of_an_answer():
    for wanted in WISHES:
        assert (
            status_token(AttendanceStatus.ATTENDING, wanted)
            == status_token(AttendanceStatus.ATTENDED, wanted)
            == f"{RSVP}#going"
        )
        assert status_token(AttendanceStatus.INTERESTED, wanted) == f"{RSVP}#interested"
        is_said = wanted.declined_as is DeclinedAs.NOT_GOING
        assert status_token(AttendanceStatus.DECLINED, wanted) == (
            f"{RSVP}#notgoing" if is_said else NoStatusToken.NO_RECORD
        )
        waiting = f"{RSVP}#interested" if wanted.waiting_as is WaitingAs.INTERESTED else NoStatusToken.UNDECIDED
        assert (
            status_token(AttendanceStatus.PENDING, wanted)
            == status_token(AttendanceStatus.WAITLISTED, wanted)
            == waiting
        )
        assert status_token(AttendanceStatus.INVITED, wanted) is NoStatusToken.UNDECIDED
        assert status_token(AttendanceStatus.REJECTED, wanted) is NoStatusToken.UNDECIDED


def test_new_answer_is_valid():
    record = write_rsvp(f"{RSVP}#going", subject_uri=EVENT_URI, subject_cid=CID, created_at=NOW, previous=None)
    validate_record(Catalog(), RSVP, record)


def test_the_same_answer_does_not_refresh_the_subject():
    before = write_rsvp(f"{RSVP}#going", subject_uri=EVENT_URI, subject_cid=CID, created_at=NOW, previous=None)
    other = CID[:-1] + "m"
    assert (
        write_rsvp(f"{RSVP}#going", subject_uri=EVENT_URI, subject_cid=other, created_at=NOW, previous=before) == before
    )
    changed = write_rsvp(f"{RSVP}#notgoing", subject_uri=EVENT_URI, subject_cid=other, created_at=NOW, previous=before)
    assert changed["subject"] == {"uri": EVENT_URI, "cid": other}


def test_unknown_keys_and_created_at_are_kept():
    before = {"subject": {"uri": EVENT_URI}, "status": "maybe", "createdAt": "2026-01-01T00:00:00Z", "emoji": "🎉"}
    after = write_rsvp(f"{RSVP}#going", subject_uri=EVENT_URI, subject_cid=CID, created_at=NOW, previous=before)
    assert (after["emoji"], after["createdAt"], after["$type"]) == ("🎉", "2026-01-01T00:00:00Z", RSVP)
