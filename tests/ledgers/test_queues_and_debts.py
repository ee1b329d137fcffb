"""docs/queues-and-debts.md lists every routing key, kind of debt, state and move."""

from types import SimpleNamespace

from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import Tid
from aurora_locus.jobs import PdsJobKind
from groundwork.clock import DAY, HOUR, Instant
from groundwork.outbox.jobs import JobState
from groundwork.signing_key import SigningKey
from openmeet.domain.notifications import rules
from openmeet.domain.notifications.model import NOTHING_MORE, OF_GROUPS, TOPICS, NotificationDetails, NotificationKind
from openmeet.network.records.collections import CONCERNING
from openmeet.network.records.message import Hint, HintKind, RecordMessage, RecordOperation
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import GRAPH, PublicationState
from openmeet.settings import Settings
from programs.outbox_dispatcher import composers
from tests.ledgers.tables import bare, section

PAGE = "queues-and-debts.md"
AUTHOR = Did("did:plc:ragtjsm2j2vknwkz3zp4oxrd")
EVERY_STATE = "every state"


def test_routing_keys() -> None:
    """Of every collection that we read, one that we do not, and every hint."""
    collections = {*CONCERNING, "app.bsky.feed.post"}
    messages = [
        RecordMessage(
            AUTHOR, Nsid(collection), RecordKey("3jui7kd54zh2y"), Tid("3jui7kd54zh2y"), operation, None, None, True
        )
        for collection in collections
        for operation in RecordOperation
    ]
    in_code = {one.routing_key for one in messages} | {Hint(AUTHOR, kind, "", 1).routing_key for kind in HintKind}
    assert {bare(row[0]) for row in section(PAGE, "Messages")} == in_code


def test_kinds_of_debts() -> None:
    assert [bare(row[0]) for row in section(PAGE, "Kinds of debts")] == [*JobKind]


def test_kinds_of_mail() -> None:
    """Exactly those that somebody composes."""
    written = composers(SimpleNamespace(settings=Settings(), code_key=SigningKey(bytes(32))))
    assert {bare(row[0]) for row in section(PAGE, "Kinds of mail")} == {*written}


def test_kinds_of_news_with_their_topic_and_haste() -> None:
    """As the rules decide about a move that lies further ahead than a day, and about one that does not."""
    documented = {bare(row[0]): (bare(row[1]), row[2]) for row in section(PAGE, "Kinds of news")}
    decided = {}
    now = Instant(0)
    for kind in NotificationKind:
        about = NotificationDetails(is_near=True)
        assert rules.is_mailed(kind, about)
        haste = "bundled"
        if rules.is_urgent(kind, about, Instant(now + HOUR), now) and kind not in OF_GROUPS:
            haste = "at once" if rules.is_urgent(kind, about, Instant(now + 7 * DAY), now) else "near"
        if not rules.is_mailed(kind, NOTHING_MORE):
            haste = f"of a move only, {haste}"
        decided[kind.value] = (TOPICS[kind].value, haste)
    assert documented == decided


def test_kinds_of_debts_of_the_pds() -> None:
    assert [bare(row[0]) for row in section(PAGE, "Kinds of debts of Aurora Locus")] == [*PdsJobKind]


def test_states_of_debts() -> None:
    assert [bare(row[0]) for row in section(PAGE, "States of a debt")] == [*JobState]


def test_states_of_publications_and_their_moves() -> None:
    documented = {
        bare(state): {*PublicationState} if moves == EVERY_STATE else {bare(one) for one in moves.split(", ")}
        for state, _, moves in section(PAGE, "States of a publication")
    }
    assert documented == {state.value: {*following} for state, following in GRAPH.moves.items()}
