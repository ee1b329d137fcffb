"""docs/queues-and-jobs.md lists every routing key, job kind, state and transition."""

from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import Tid
from aurora_locus.jobs import PdsJobKind
from groundwork.outbox.jobs import JobState
from groundwork.signing_key import SigningKey
from openmeet.emails.composers import composers
from openmeet.emails.render import EmailContext
from openmeet.network.records.collections import CONCERNING
from openmeet.network.records.message import Hint, HintKind, RecordMessage, RecordOperation
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import STATE_GRAPH, PublicationState
from tests.docs.tables import bare, section

PAGE = "queues-and-jobs.md"
AUTHOR = Did("did:plc:ragtjsm2j2vknwkz3zp4oxrd")
EVERY_STATE = "every state"


def test_routing_keys() -> None:
    """The page lists the routing keys of every collection that we read, of one that we do not, and of every hint."""
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


def test_kinds_of_jobs() -> None:
    assert [bare(row[0]) for row in section(PAGE, "Kinds of jobs")] == [*JobKind]


def test_kinds_of_mail() -> None:
    """The page lists exactly the kinds of e-mail that the code composes."""
    written = composers(EmailContext(SigningKey(bytes(32)), "OpenMeet", "https://meet.example"))
    assert {bare(row[0]) for row in section(PAGE, "Kinds of mail")} == {*written}


def test_kinds_of_jobs_of_the_pds() -> None:
    assert [bare(row[0]) for row in section(PAGE, "Kinds of jobs of Aurora Locus")] == [*PdsJobKind]


def test_states_of_jobs() -> None:
    assert [bare(row[0]) for row in section(PAGE, "States of a job")] == [*JobState]


def test_states_of_publications_and_their_moves() -> None:
    documented = {
        bare(state): {*PublicationState} if moves == EVERY_STATE else {bare(one) for one in moves.split(", ")}
        for state, _, moves in section(PAGE, "States of a publication")
    }
    assert documented == {state.value: {*following} for state, following in STATE_GRAPH.moves.items()}
