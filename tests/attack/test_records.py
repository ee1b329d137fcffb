"""Arbitrary records: readers parse each one or return a reason, and our changes can be applied to every record."""

import json
from typing import Any

from at_protocol.data import cbor, json_form
from at_protocol.syntax.datetime import parse_datetime
from groundwork.clock import Instant
from openmeet.domain.attendance.model import RsvpRecordStatus
from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.values import Mode, Venue
from openmeet.i18n.reasons.messages import explain
from openmeet.network.records.collections import EVENT, LEGACY_EVENT, LEGACY_RSVP, RSVP
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.event_writer import Publishable, is_up_to_date, write_event
from openmeet.network.records.reading_notes import Unmappable
from openmeet.network.records.rsvp import read_rsvp, write_rsvp
from tests.attack.garbage import SEED, Garbage

ROUNDS = 2000
NOW = Instant(parse_datetime("2026-11-20T08:00:00Z"))
_PLACES = ["address", "geo", "fsq", "hthree", "unknown"]


def _text(garbage: Garbage) -> Any:
    return garbage.dice.choice(
        [garbage.text(), garbage.anything(), "2026-07-04T18:00:00Z", "https://example.org", "40.5"]
    )


def _place(garbage: Garbage) -> Any:
    kind = garbage.dice.choice([f"community.lexicon.location.{name}" for name in _PLACES] + [f"{EVENT}#uri", None, 7])
    keys = garbage.dice.sample(
        ["name", "street", "locality", "country", "latitude", "longitude", "uri", "url", "value"], 4
    )
    return {"$type": kind, **{key: _text(garbage) for key in keys}}


def _event(garbage: Garbage) -> Any:
    if garbage.is_hurt(0.03):
        return garbage.anything()
    record: dict[str, Any] = {"$type": garbage.dice.choice([EVENT, EVENT, EVENT, LEGACY_EVENT, None, 5])}
    for key in (
        "name",
        "title",
        "description",
        "text",
        "startsAt",
        "endsAt",
        "createdAt",
        "mode",
        "status",
        "timezone",
        "facets",
        "media",
        "preferences",
        "rsvpExpected",
    ):
        if garbage.is_hurt(0.5):
            record[key] = _text(garbage)
    for key in ("locations", "uris", "location"):
        if garbage.is_hurt(0.6):
            record[key] = garbage.dice.choice(
                [[_place(garbage) for _ in range(3)], _place(garbage), garbage.anything()]
            )
    if garbage.is_hurt(0.3):
        record["preferences"] = {"showInDiscovery": garbage.anything()}
    return record


def _storable(value: Any) -> Any:
    """The record as a repository would store it; None if none could."""
    try:
        return json_form.from_json(json.loads(json.dumps(value)))
    except ValueError:
        return None


def test_any_event_record_is_read_and_edited_or_refused_with_a_reason() -> None:
    print(f"seed {SEED}")
    garbage = Garbage(SEED)
    read, reasons = 0, set()
    for _ in range(ROUNDS):
        record = _storable(_event(garbage))
        try:
            seen = read_event(
                garbage.dice.choice([EVENT, LEGACY_EVENT]), record, rkey=garbage.text()[:100], indexed_at=NOW
            )
        except Unmappable as refused:
            reasons.add(explain(refused.why)[-1])
            continue
        read += 1
        assert len(seen.event.name) <= 200
        assert "\x00" not in repr(seen.event)
    assert read > ROUNDS // 20
    assert reasons == {"."}


def _ours(garbage: Garbage) -> Publishable:
    mode = garbage.dice.choice(list(Mode))
    venue = garbage.dice.choice(
        [
            Venue(),
            Venue(name="Park"),
            Venue(name="Park", country="DE", locality="Bonn"),
            Venue(latitude="1", longitude="2"),
        ]
    )
    return Publishable(
        title="Tea",
        description=garbage.text(),
        starts_at=garbage.dice.choice([None, NOW]),
        ends_at=garbage.dice.choice([None, NOW]),
        time_zone=garbage.dice.choice(["UTC", "+23:59", "Europe/Berlin"]),
        mode=mode,
        status=garbage.dice.choice(list(EventStatus)),
        venue=venue,
        online_url="" if mode is Mode.IN_PERSON else garbage.dice.choice(["", "https://meet.example/1"]),
        created_at=NOW,
        page_url="https://here.example/events/tea-abcde",
        instance="https://here.example",
        event_id="1",
        version=2,
    )


def test_changes_can_be_applied_to_any_parsed_record() -> None:
    """Our changes can be applied to any record that was parsed: another app's fields stay, and ours read back as
    intended.
    """
    print(f"seed {SEED}")
    garbage = Garbage(SEED)
    for _ in range(ROUNDS):
        previous = _storable(_event(garbage))
        try:
            read_event(EVENT, previous, rkey="self", indexed_at=NOW)
        except Unmappable:
            continue
        ours = _ours(garbage)
        record = write_event(ours, previous)
        assert cbor.decode(cbor.encode(record)) == record
        assert previous.keys() - record.keys() <= {
            "startsAt",
            "endsAt",
            "locations",
            "location",
            "uris",
            "facets",
            "description",
            "text",
        }
        assert is_up_to_date(ours, record)
        assert write_event(ours, record) == record


def test_any_rsvp_record_is_parsed_or_refused_and_can_be_edited() -> None:
    print(f"seed {SEED}")
    garbage = Garbage(SEED)
    reasons = set()
    uri = f"at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/{EVENT}/one"
    for _ in range(ROUNDS):
        subject = garbage.dice.choice(
            [uri, {"uri": uri, "cid": _text(garbage)}, {"uri": _text(garbage)}, garbage.anything()]
        )
        record = _storable({"$type": RSVP, "subject": subject, "status": _text(garbage), "createdAt": _text(garbage)})
        if record is None:
            continue
        try:
            read_rsvp(garbage.dice.choice([RSVP, LEGACY_RSVP]), record, rkey=garbage.text()[:100])
        except Unmappable as refused:
            reasons.add(explain(refused.why)[-1])
            continue
        ours = write_rsvp(f"{RSVP}#going", subject_uri=uri, subject_cid="x", created_at=NOW, previous=record)
        assert read_rsvp(RSVP, ours, rkey="one").status is RsvpRecordStatus.GOING
    assert reasons == {"."}
