"""How an account's state affects its messages: the relay scenarios, and the table of the module."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.at_protocol.sync import captured
from tests.at_protocol.sync.captured import CAPTURED_AT_US, DID, KEY, NOW_US, Author
from tests.external_dependencies import fixture_path, needs

from at_protocol.crypto.did_key import parse_multikey
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.sync import events
from at_protocol.sync.account_state import (
    AccountState,
    StreamPosition,
    SyncState,
    SyncVerdict,
    receive,
)
from at_protocol.sync.events import AccountMessage, CommitMessage, IdentityMessage, InfoMessage
from at_protocol.sync.frames import ErrorFrame
from at_protocol.sync.verify import FULL, LENIENT, RejectionReason, RepoHead

FORWARDER = AccountState(sync=SyncState.SYNCHRONIZED)


def _scenarios() -> list[Path]:
    return sorted(fixture_path("vectors/indigo/relay").glob("*.json"))


@needs("fixtures")
def test_scenario_count():
    assert len(_scenarios()) == 7


@pytest.mark.parametrize("path", _scenarios(), ids=lambda path: path.stem)
def test_relay_scenario(path):
    """Each message is dropped, rejected or forwarded, and changes the account, as the scenario says."""
    scenario: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    verification = LENIENT if scenario["lenient"] else FULL
    keys = {
        account["identity"]["did"]: parse_multikey(account["identity"]["keys"]["atproto"]["publicKeyMultibase"])
        for account in scenario["accounts"]
    }
    states = {account["identity"]["did"]: FORWARDER for account in scenario["accounts"]}
    position = StreamPosition()
    seen = []
    for entry in scenario["messages"]:
        message = events.from_payload(entry["frame"]["header"]["t"], captured.from_json(entry["frame"]["body"]))
        assert message is not None
        assert not isinstance(message, InfoMessage | ErrorFrame)
        did = message.repo if isinstance(message, CommitMessage) else message.did
        if not position.advance(message.seq):
            seen.append({"drop": True, "invalid": False, "update": False})
            continue
        outcome = receive(states[did], message, keys[did], now_us=CAPTURED_AT_US, verification=verification)
        before, states[did] = states[did], outcome.state
        seen.append(
            {
                "drop": outcome.verdict is SyncVerdict.DROP,
                "invalid": outcome.verdict is SyncVerdict.REJECT,
                "update": (before.active, before.status) != (outcome.state.active, outcome.state.status),
            }
        )
    assert seen == [{name: entry[name] for name in ("drop", "invalid", "update")} for entry in scenario["messages"]]


def _receive(state, message, key=KEY):
    return receive(state, message, key.public, now_us=NOW_US)


def _edits(number: int):
    return (f"com.example.thing/{number}", {"n": number})


def test_a_new_account_starts_synchronized_with_its_first_commit():
    author = Author()
    outcome = _receive(AccountState(), author.write(_edits(1)))
    assert outcome.verdict is SyncVerdict.APPLY
    assert outcome.state.sync is SyncState.SYNCHRONIZED
    assert outcome.verified is not None
    assert outcome.state.last_head == outcome.verified.head


def test_an_account_first_seen_in_the_middle_is_fetched():
    author = Author()
    author.write(_edits(1))
    outcome = _receive(AccountState(), author.write(_edits(2)))
    assert (outcome.verdict, outcome.state) == (SyncVerdict.RESYNC, AccountState())


def _synchronized() -> tuple[Author, AccountState]:
    author = Author()
    return author, _receive(AccountState(), author.write(_edits(1))).state


def _fetched(author: Author) -> AccountState:
    """The state after the repository was fetched as it is now."""
    assert author.commit is not None
    return AccountState(sync=SyncState.SYNCHRONIZED, last_head=RepoHead(author.commit.rev or "", author.commit.data))


def test_commits_in_sequence_apply():
    author, state = _synchronized()
    for number in range(2, 6):
        outcome = _receive(state, author.write(_edits(number)))
        assert outcome.verdict is SyncVerdict.APPLY
        state = outcome.state


def test_lost_commit_is_detected_and_repaired():
    """A lost commit shows as a gap at the next commit. After the repository was fetched, the next commit follows it."""
    author, state = _synchronized()
    author.write(_edits(2))  # lost
    outcome = _receive(state, author.write(_edits(3)))
    assert (outcome.verdict, outcome.state.sync) == (SyncVerdict.RESYNC, SyncState.DESYNCHRONIZED)
    assert outcome.refusal is not None
    assert outcome.refusal.reason is RejectionReason.GAP
    fetched = _fetched(author)
    outcome = _receive(fetched, author.write(_edits(4)))
    assert (outcome.verdict, outcome.state.sync) == (SyncVerdict.APPLY, SyncState.SYNCHRONIZED)


def test_messages_older_than_the_fetched_repository_are_dropped():
    author, _ = _synchronized()
    late = author.write(_edits(2))
    assert _receive(_fetched(author), late).verdict is SyncVerdict.DROP


def test_commits_of_a_known_account_are_dropped_until_it_is_fetched():
    author, state = _synchronized()
    state = replace(state, sync=SyncState.DESYNCHRONIZED)
    outcome = _receive(state, author.write(_edits(2)))
    assert (outcome.verdict, outcome.state) == (SyncVerdict.DROP, state)


@pytest.mark.parametrize("status", ["deactivated", "takendown", "suspended", "deleted", "unheard of", None])
def test_messages_of_an_inactive_account_are_dropped(status):
    author, state = _synchronized()
    gone = _receive(state, AccountMessage(9, DID, "", active=False, status=status)).state
    assert (gone.active, gone.status) == (False, status)
    commit = author.write(_edits(2))
    assert _receive(gone, commit).verdict is SyncVerdict.DROP
    assert _receive(gone, author.sync()).verdict is SyncVerdict.DROP
    back = _receive(gone, AccountMessage(10, DID, "", active=True)).state
    assert back == state
    assert _receive(back, commit).verdict is SyncVerdict.APPLY


def test_identity_messages_change_nothing_here():
    _, state = _synchronized()
    outcome = _receive(state, IdentityMessage(9, DID, "", "alice.example"))
    assert (outcome.verdict, outcome.state) == (SyncVerdict.APPLY, state)


def test_sync_with_the_same_tree_takes_the_new_rev():
    author, state = _synchronized()
    message = author.sync()
    outcome = _receive(state, message)
    assert outcome.verdict is SyncVerdict.APPLY
    assert outcome.state.last_head == RepoHead(message.rev, author.repository.root)
    assert _receive(outcome.state, author.write(_edits(2))).verdict is SyncVerdict.APPLY


def test_sync_with_another_tree_fetches_the_repository():
    author, state = _synchronized()
    author.write(_edits(2))
    outcome = _receive(state, author.sync())
    assert (outcome.verdict, outcome.state.sync) == (SyncVerdict.RESYNC, SyncState.DESYNCHRONIZED)


def test_old_sync_is_dropped_and_a_forged_one_rejected():
    author, state = _synchronized()
    message = author.sync()
    state = _receive(state, message).state
    assert _receive(state, message).verdict is SyncVerdict.DROP
    forged = author.sync(K256PrivateKey(bytes(31) + b"\x09"))
    outcome = _receive(state, forged)
    assert (outcome.verdict, outcome.state) == (SyncVerdict.REJECT, state)


def test_a_rejected_commit_changes_nothing():
    author, state = _synchronized()
    forged = author.write(_edits(2), key=K256PrivateKey(bytes(31) + b"\x09"))
    outcome = _receive(state, forged)
    assert (outcome.verdict, outcome.state) == (SyncVerdict.REJECT, state)
    assert outcome.refusal is not None
    assert outcome.refusal.reason is RejectionReason.BAD_SIGNATURE


def test_stream_position():
    """Sequence numbers may have gaps; a repeated or lower number is counted and dropped."""
    position = StreamPosition()
    assert [position.advance(seq) for seq in (1000, 1000, 5, 2000)] == [True, False, False, True]
    assert (position.last_seq, position.out_of_order) == (2000, 2)
