"""Conversion of Matrix events to messages: what real clients send, and malformed or hostile events."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmeet.domain.chat.model import MAX_LINES, MAX_MENTIONS, MAX_TEXT
from openmeet.matrix import content
from openmeet.matrix.content import (
    IncomingMembership,
    IncomingMessage,
    IncomingOther,
    IncomingReaction,
    IncomingRedaction,
    incoming,
)

ANA = "@ana:chat.test"


def event(kind: str, inner: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"event_id": "$one", "sender": ANA, "type": kind, "content": inner, **more}


def said(body: Any, **more: Any) -> Any:
    return incoming(event("m.room.message", {"msgtype": "m.text", "body": body, **more}))


def test_a_message_is_read_as_plain_text() -> None:
    found = said("Hello <b>all</b>", format="org.matrix.custom.html", formatted_body="<script>")
    assert found == IncomingMessage("$one", ANA, "Hello <b>all</b>", None, None)


def test_a_reply_loses_the_quote_of_older_clients() -> None:
    relation = {"m.in_reply_to": {"event_id": "$zero"}}
    found = said("> <@bob:chat.test> When?\n> And where?\n\nAt eight", **{"m.relates_to": relation})
    assert found == IncomingMessage("$one", ANA, "At eight", None, "$zero")
    assert said("> quoting without a reply").text == "> quoting without a reply"


def test_an_edit_has_the_new_text() -> None:
    relation = {"rel_type": "m.replace", "event_id": "$zero"}
    found = said("* At nine", **{"m.relates_to": relation, "m.new_content": {"msgtype": "m.text", "body": "At nine"}})
    assert found == IncomingMessage("$one", ANA, "At nine", "$zero", None)
    assert said("* At nine", **{"m.relates_to": relation}) is None


@pytest.mark.parametrize(
    ("named", "mentions"),
    [
        ({"user_ids": [ANA, 5, "nobody", None, "@bob:chat.test"], "room": True}, (ANA, "@bob:chat.test")),
        ({"user_ids": [f"@{number}:chat.test" for number in range(1_000)]}, MAX_MENTIONS),
        ({"user_ids": "@ana:chat.test"}, ()),
        ([ANA], ()),
    ],
)
def test_mentions_are_known_accounts_and_limited(named: object, mentions: tuple[str, ...] | int) -> None:
    found = said("Hello", **{"m.mentions": named}).mentions
    assert (len(found) if isinstance(mentions, int) else found) == mentions


def test_thread_messages_are_read_as_ordinary_messages() -> None:
    relation = {"rel_type": "m.thread", "event_id": "$0", "is_falling_back": True, "m.in_reply_to": {"event_id": "$0"}}
    assert said("Hi", **{"m.relates_to": relation}) == IncomingMessage("$one", ANA, "Hi", None, None)


def test_a_file_is_read_as_a_line_with_its_name() -> None:
    found = incoming(
        event("m.room.message", {"msgtype": "m.image", "body": "map.png\nsecond line", "url": "mxc://x/y"})
    )
    assert isinstance(found, IncomingMessage)
    assert found.text == "\N{PAPERCLIP} map.png"


def test_reactions_redactions_membership_and_other_events() -> None:
    relation = {"rel_type": "m.annotation", "event_id": "$zero", "key": "👍️"}
    assert incoming(event("m.reaction", {"m.relates_to": relation})) == IncomingReaction("$one", ANA, "$zero", "👍️")
    assert incoming(event("m.room.redaction", {"redacts": "$zero", "reason": "typo"})) == IncomingRedaction(
        "$one", ANA, "$zero", "typo"
    )
    assert incoming(event("m.room.redaction", {}, redacts="$zero")) == IncomingRedaction("$one", ANA, "$zero", "")
    assert incoming(event("m.room.member", {"membership": "ban"}, state_key="@eve:chat.test")) == IncomingMembership(
        "$one", ANA, "@eve:chat.test", "ban", ""
    )
    assert incoming(event("m.room.encrypted", {"ciphertext": "x"})) == IncomingOther("$one", ANA, "m.room.encrypted")
    assert incoming(event("m.room.message", {})) is None


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("a\0b\x1b[31mc\ud800", "ab[31mc"),
        ("x" * 60_000, "x" * MAX_TEXT),
        ("\n" * 70 + "a\nb", "a\nb"),
        ("a\r\nb\rc", "a\nb\nc"),
    ],
)
def test_text_is_cut_to_the_limits(body: str, text: str) -> None:
    assert said(body).text == text


def test_many_lines_are_cut() -> None:
    assert said("a\n" * 5000).text.count("\n") < MAX_LINES


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "body",
                    "msgtype",
                    "m.relates_to",
                    "m.new_content",
                    "rel_type",
                    "event_id",
                    "key",
                    "m.in_reply_to",
                    "redacts",
                    "membership",
                    "reason",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(
    _json,
    st.sampled_from(["m.room.message", "m.reaction", "m.room.redaction", "m.room.member", "m.room.encrypted", "x"]),
    _json,
)
def test_any_input_is_parsed_or_ignored(inner: Any, kind: str, outer: Any) -> None:
    incoming(outer)
    found = incoming({**event(kind, {}), "content": inner, "state_key": outer})
    assert found is None or found.sender == ANA


def test_messages_that_we_send_are_read_back_with_the_same_text() -> None:
    sent = content.message("m1", 1, "At eight", reply_to="$zero", heading="Tue 3 Mar ·")
    assert incoming(event("m.room.message", sent)) == IncomingMessage(
        "$one", ANA, "Tue 3 Mar ·\nAt eight", None, "$zero"
    )
    edited = content.edit("m1", 2, "At nine", "$zero")
    assert incoming(event("m.room.message", edited)) == IncomingMessage("$one", ANA, "At nine", "$zero", None)
    assert incoming(event("m.reaction", content.reaction("$zero", "👍"))) == IncomingReaction(
        "$one", ANA, "$zero", "👍"
    )


@pytest.mark.parametrize(
    ("named", "microseconds"),
    [
        (1_700_000_000_123, 1_700_000_000_123_000),
        (0, 0),
        (2**53 - 1, (2**53 - 1) * 1_000),
        (2**53, None),
        (10**30, None),
        (-1, None),
        (True, None),
        ("1700000000123", None),
        (1.5, None),
        (None, None),
    ],
)
def test_a_timestamp_out_of_range_is_ignored(named: object, microseconds: int | None) -> None:
    assert content.sent_at(event("m.room.message", {}, origin_server_ts=named)) == microseconds
