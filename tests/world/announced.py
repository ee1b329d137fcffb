"""What a PDS's frames say about events and answers: the oracle's input."""

from collections.abc import Iterable

from at_protocol.data import cbor
from at_protocol.repo import car
from at_protocol.sync import events
from at_protocol.sync.events import CommitMessage
from tests.world.oracle import EVENT, RSVP, Change


def changes_in(frames: Iterable[bytes]) -> list[Change]:
    """Every version of every event and answer, in the order in which they were announced."""
    changes: list[Change] = []
    for frame in frames:
        message = events.read(frame)
        if not isinstance(message, CommitMessage):
            continue
        blocks = car.read(message.blocks).blocks
        for operation in message.operations:
            collection, _, rkey = operation.path.partition("/")
            if collection in {EVENT, RSVP}:
                value = None if operation.cid is None else cbor.decode(blocks[operation.cid])
                assert value is None or isinstance(value, dict)
                changes.append(Change(message.repo, collection, rkey, message.rev, value))
    return changes


def answered_twice(changes: Iterable[Change]) -> list[tuple[str, str]]:
    """(author, event) of answers that were written while their repository held another record about the same event."""
    living: dict[str, tuple[str, str]] = {}
    twice = []
    for change in changes:
        if change.collection != RSVP:
            continue
        if change.value is None:
            living.pop(change.uri, None)
            continue
        about = (change.did, change.value["subject"]["uri"])
        if change.uri not in living and about in living.values():
            twice.append(about)
        living[change.uri] = about
    return twice
