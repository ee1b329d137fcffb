"""Verification of messages: captured ones are valid, and every tampered copy fails with the right reason."""

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from tests.at_protocol.sync import captured
from tests.at_protocol.sync.captured import CAPTURED_AT_US, DID, KEY, NOW_US, Author, with_blocks
from tests.external_dependencies import fixture_path, needs

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.sync import events, frames
from at_protocol.sync.events import CommitMessage, RecordAction, RepoOperation
from at_protocol.sync.verify import (
    FULL,
    LENIENT,
    LIGHT,
    MessageRejected,
    RejectionReason,
    RepoHead,
    VerificationLevel,
    VerifiedCommit,
    verify_commit_message,
    verify_sync_message,
)
from at_protocol.syntax import tid
from at_protocol.syntax.did import parse_did

OTHER_CID = Cid.for_cbor(b"other")
COMMITS = captured.commits()


def _verify(
    message: CommitMessage, *, verification: VerificationLevel = FULL, last_head: RepoHead | None = None
) -> VerifiedCommit:
    """Verify with the captured key at the time of capture."""
    key = captured.keys()[message.repo]
    return verify_commit_message(message, key, now_us=CAPTURED_AT_US, last_head=last_head, verification=verification)


def _refusal(message: CommitMessage, **how: Any) -> RejectionReason:
    with pytest.raises(MessageRejected) as refused:
        _verify(message, **how)
    return refused.value.reason


@needs("fixtures")
def test_commit_count():
    assert len(COMMITS) == 80
    assert sum(len(message.operations) for message in COMMITS) == 82


@pytest.mark.parametrize("message", COMMITS, ids=lambda message: message.seq)
class TestCaptured:
    def test_valid_commit_is_accepted(self, message):
        verified = _verify(message)
        assert [(seen.action, seen.path, seen.cid) for seen in verified.operations] == [
            (operation.action, operation.path, operation.cid) for operation in message.operations
        ]
        for seen in verified.operations:
            assert (seen.record is None) is (seen.action is RecordAction.DELETE)
            assert seen.cid is None or Cid.for_cbor(seen.record or b"") == seen.cid
        assert verified.head == RepoHead(message.rev, verified.commit.data)

    def test_holds_in_light_mode(self, message):
        assert _verify(message, verification=LIGHT) == _verify(message)

    def test_commit_without_one_of_its_operations_is_rejected(self, message):
        assert _refusal(replace(message, operations=message.operations[1:])) is RejectionReason.NOT_INVERTIBLE

    def test_an_altered_path(self, message):
        first = message.operations[0]
        altered = replace(first, path=first.path[:-1] + ("a" if first.path[-1] != "a" else "b"))
        reason = _refusal(replace(message, operations=(altered, *message.operations[1:])))
        assert reason in {RejectionReason.WRONG_CLAIM, RejectionReason.NOT_INVERTIBLE}

    def test_a_changed_prev_of_an_operation_is_rejected(self, message):
        first = message.operations[0]
        altered = replace(first, prev=OTHER_CID)
        expected = (
            RejectionReason.BAD_OPERATIONS if first.action is RecordAction.CREATE else RejectionReason.NOT_INVERTIBLE
        )
        assert _refusal(replace(message, operations=(altered, *message.operations[1:]))) is expected

    def test_another_prev_data_is_rejected(self, message):
        assert _refusal(replace(message, prev_data=OTHER_CID)) is RejectionReason.NOT_INVERTIBLE

    def test_a_commit_without_prev_data_is_rejected(self, message):
        assert _refusal(replace(message, prev_data=None)) is RejectionReason.NO_PREV_DATA

    def test_a_flipped_bit_in_the_blocks(self, message):
        blocks = bytearray(message.blocks)
        blocks[len(blocks) // 2] ^= 1
        assert _refusal(replace(message, blocks=bytes(blocks))) is RejectionReason.BAD_BLOCKS

    def test_another_rev_than_that_of_the_commit_is_rejected(self, message):
        assert _refusal(replace(message, rev="3mptaaaaaaa2a")) is RejectionReason.OTHER_COMMIT

    def test_another_author_than_that_of_the_commit_is_rejected(self, message):
        with pytest.raises(MessageRejected) as refused:
            verify_commit_message(replace(message, repo=DID), captured.keys()[message.repo], now_us=CAPTURED_AT_US)
        assert refused.value.reason is RejectionReason.OTHER_COMMIT

    def test_a_commit_signed_by_another_key_is_rejected(self, message):
        with pytest.raises(MessageRejected) as refused:
            verify_commit_message(message, KEY.public, now_us=CAPTURED_AT_US)
        assert refused.value.reason is RejectionReason.BAD_SIGNATURE

    def test_without_the_commit_block(self, message):
        assert _refusal(with_blocks(message, without=message.commit)) is RejectionReason.NO_COMMIT

    def test_without_a_record(self, message):
        record = message.operations[0].cid
        if record is not None:
            assert _refusal(with_blocks(message, without=record)) is RejectionReason.NO_RECORD

    def test_without_any_other_block(self, message):
        """Without one of the other blocks, verification either fails or gives the same result."""
        verified = _verify(message)
        for cid in car.read(message.blocks).blocks.keys() - {message.commit}:
            with contextlib.suppress(MessageRejected):
                assert _verify(with_blocks(message, without=cid)) == verified

    def test_a_rev_that_is_not_newer_is_rejected(self, message):
        assert _refusal(message, last_head=RepoHead(message.rev, OTHER_CID)) is RejectionReason.STALE_REV

    def test_a_gap_after_the_known_head_is_rejected(self, message):
        known = RepoHead(message.since or "", message.prev_data or OTHER_CID)
        _verify(message, last_head=known)
        assert _refusal(message, last_head=replace(known, rev="3aaaaaaaaaa2a")) is RejectionReason.GAP
        assert _refusal(message, last_head=replace(known, data=OTHER_CID)) is RejectionReason.GAP

    def test_a_rev_from_the_future_is_rejected(self, message):
        with pytest.raises(MessageRejected) as refused:
            verify_commit_message(message, KEY.public, now_us=CAPTURED_AT_US - 86_400_000_000)
        assert refused.value.reason is RejectionReason.FUTURE_REV


def _ours(message: CommitMessage, **how: Any) -> VerifiedCommit:
    return verify_commit_message(message, KEY.public, now_us=NOW_US, **how)


def _our_refusal(message: CommitMessage, **how: Any) -> RejectionReason:
    with pytest.raises(MessageRejected) as refused:
        _ours(message, **how)
    return refused.value.reason


def test_own_history_verifies_step_by_step():
    """A history that our code wrote verifies step by step: creation, several operations, update, deletion, empty
    commit.
    """
    author = Author()
    known = None
    for edits in (
        [("com.example.thing/a", {"x": 1})],
        [(f"com.example.thing/{number:03}", {"n": number}) for number in range(200)],
        [("com.example.thing/a", {"x": 2}), ("com.example.thing/100", None), ("com.example.thing/z", {})],
        [],
        [("com.example.thing/z", None)],
    ):
        known = _ours(author.write(*edits), last_head=known).head
    assert known is not None
    assert known.data == author.repository.root


def test_first_commit_must_create_its_whole_tree():
    """A first commit without prevData must create everything in its tree by its operations, because the tree before was
    empty.
    """
    author = Author()
    author.write(("com.example.thing/hidden", {"x": 1}))
    second = author.write(("com.example.thing/b", {"x": 2}))
    assert _our_refusal(replace(second, since=None, prev_data=None)) is RejectionReason.NOT_INVERTIBLE


def test_two_operations_on_one_path():
    message = Author().write(("com.example.thing/a", {"x": 1}))
    assert _our_refusal(replace(message, operations=message.operations * 2)) is RejectionReason.BAD_OPERATIONS


@pytest.mark.parametrize(
    "path", ["nothing", "com.example.thing/", "com.example.thing/a/b", "thing/a", "com.example.thing/.."]
)
def test_paths_of_another_form(path):
    message = Author().write((path, {"x": 1}))
    assert _our_refusal(message) is RejectionReason.BAD_OPERATIONS


def test_an_update_that_changes_nothing():
    author = Author()
    first = author.write(("com.example.thing/a", {"x": 1}))
    second = author.write()
    cid = first.operations[0].cid
    forged = replace(second, operations=(RepoOperation(RecordAction.UPDATE, "com.example.thing/a", cid, cid),))
    forged = with_blocks(forged, more=car.read(first.blocks).blocks)
    assert _our_refusal(forged) is RejectionReason.BAD_OPERATIONS


def test_deletion_of_a_present_record_is_refused():
    author = Author()
    first = author.write(("com.example.thing/a", {"x": 1}))
    second = with_blocks(author.write(), more=car.read(first.blocks).blocks)
    forged = replace(second, operations=(RepoOperation(RecordAction.DELETE, "com.example.thing/a", None, OTHER_CID),))
    assert _our_refusal(forged) is RejectionReason.WRONG_CLAIM


@pytest.mark.parametrize("rev", ["", "yesterday", "zzzzzzzzzzzzz", "3migo7fijwi2k "])
def test_invalid_revs_are_refused(rev):
    message = Author().write(("com.example.thing/a", {"x": 1}))
    assert _our_refusal(replace(message, rev=rev)) is RejectionReason.BAD_REV


def test_a_few_minutes_ahead_are_allowed():
    author = Author()
    ahead = author.write(("com.example.thing/a", {"x": 1}))
    verify_commit_message(ahead, KEY.public, now_us=NOW_US - 299_000_000)
    with pytest.raises(MessageRejected) as refused:
        verify_commit_message(ahead, KEY.public, now_us=NOW_US - 301_000_000)
    assert refused.value.reason is RejectionReason.FUTURE_REV


def test_unlinked_blocks_are_ignored():
    """Unlinked blocks are ignored, even a megabyte of them."""
    message = Author().write(("com.example.thing/a", {"x": 1}))
    filler = bytes(1_000_000)
    assert _ours(with_blocks(message, more={Cid.for_cbor(filler): filler})) == _ours(message)


def test_light_mode_trusts_the_relay_only_for_completeness():
    """Light mode trusts the relay only for completeness: an omitted operation passes, a wrong one does not."""
    author = Author()
    author.write(("com.example.thing/a", {"x": 1}))
    message = author.write(("com.example.thing/b", {"x": 2}), ("com.example.thing/c", {"x": 3}))
    shorter = replace(message, operations=message.operations[1:])
    assert len(_ours(shorter, verification=LIGHT).operations) == 1
    assert _our_refusal(shorter) is RejectionReason.NOT_INVERTIBLE
    wrong = replace(message, operations=(replace(message.operations[0], path="com.example.thing/d"),))
    assert _our_refusal(wrong, verification=LIGHT) is RejectionReason.WRONG_CLAIM


def test_sync_message_with_the_current_head_is_accepted():
    author = Author()
    first = _ours(author.write(("com.example.thing/a", {"x": 1})))
    message = author.sync()
    commit = verify_sync_message(message, KEY.public, now_us=NOW_US, last_head=first.head)
    assert commit.data == first.commit.data


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"blocks": b""}, RejectionReason.BAD_BLOCKS),
        ({"blocks": b"".join(car.write([], []))}, RejectionReason.BAD_BLOCKS),
        ({"blocks": b"".join(car.write([OTHER_CID], []))}, RejectionReason.NO_COMMIT),
        (
            {"blocks": b"".join(car.write([Cid.for_cbor(b"\xa0")], [(Cid.for_cbor(b"\xa0"), b"\xa0")]))},
            RejectionReason.NO_COMMIT,
        ),
        ({"did": parse_did("did:web:b.example")}, RejectionReason.OTHER_COMMIT),
        ({"rev": tid.from_microseconds(NOW_US + 7, 3)}, RejectionReason.OTHER_COMMIT),
        ({"rev": tid.from_microseconds(NOW_US + 86_400_000_000, 0)}, RejectionReason.FUTURE_REV),
        ({"rev": "x"}, RejectionReason.BAD_REV),
    ],
    ids=["nothing", "no root", "no commit", "no commit in it", "another account", "another rev", "tomorrow", "no rev"],
)
def test_sync_messages_that_are_wrong(change, reason):
    with pytest.raises(MessageRejected) as refused:
        verify_sync_message(replace(Author().sync(), **change), KEY.public, now_us=NOW_US)
    assert refused.value.reason is reason


def test_sync_message_with_a_bad_signature():
    with pytest.raises(MessageRejected) as refused:
        verify_sync_message(Author().sync(K256PrivateKey(bytes(31) + b"\x09")), KEY.public, now_us=NOW_US)
    assert refused.value.reason is RejectionReason.BAD_SIGNATURE


def _old_commits() -> list[Any]:
    return sorted(fixture_path("vectors/indigo/repo").glob("*.json"))


@needs("fixtures")
def test_old_commit_count():
    assert len(_old_commits()) == 4


@pytest.mark.parametrize("path", _old_commits(), ids=lambda path: path.stem)
def test_old_commits_without_prev_data(path):
    """A commit without prevData passes every lenient check except the signature, because the test does not have the
    account's key.
    """
    body = json.loads(path.read_text(encoding="utf-8"))
    message = events.from_payload("#commit", captured.from_json(body))
    assert isinstance(message, CommitMessage)
    with pytest.raises(MessageRejected) as refused:
        verify_commit_message(message, KEY.public, now_us=CAPTURED_AT_US, verification=LENIENT)
    assert refused.value.reason is RejectionReason.BAD_SIGNATURE
    assert frames.summarize(events.encode(message)).paths == tuple(operation.path for operation in message.operations)
