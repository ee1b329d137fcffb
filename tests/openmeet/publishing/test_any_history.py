"""An event and its record go through random histories. In the end each answer counts as it is in its author's
repository.

An event is unpublished, published again, handed over and back, and another app deletes its record, edits it, or writes
it again under the same key. The owner pauses the account. People answer in their own apps to any URI that the event has
had. Responses are lost, publishers are killed, and both servers restart.
"""

from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from groundwork.clock import HandClock
from openmeet.domain.events.record_changes import DeletedRecordChoice
from openmeet.domain.events.values import Visibility
from openmeet.network.records.collections import EVENT
from openmeet.network.records.message import RecordMessage
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.databases import MakeDatabase
from tests.openmeet.deployment import open_deployment
from tests.openmeet.publishing.event_history import (
    HISTORY_START,
    History,
    HistoryStep,
    begin_history,
    collect_messages,
    publish_if_kept,
)

# The possible statuses of an answer on this site. A host's approval is not part of the answer.
STANDS_FOR = {
    "going": {"attending", "pending", "waitlisted"},
    "interested": {"interested"},
    "notgoing": {"declined"},
    None: {"declined", None},
}


ACTS = (
    "off",
    "on",
    "private",
    "hand over",
    "say",
    "take back",
    "delete record",
    "recreate record",
    "edit record",
    "pause account",
    "decide",
    "pay",
    "hear",
    "lose",
    "kill",
    "restart",
)
steps = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 11)), min_size=4, max_size=12)


@settings(
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=steps)
@example(history=[("say", 0), ("off", 0), ("pay", 0), ("say", 2), ("on", 0), ("pay", 0)])
@example(history=[("say", 0), ("private", 0), ("lose", 0), ("take back", 0), ("on", 0), ("kill", 0), ("hear", 0)])
@example(
    history=[
        ("say", 3),
        ("hand over", 0),
        ("off", 0),
        ("pay", 0),
        ("say", 2),
        ("hand over", 0),
        ("on", 0),
        ("restart", 0),
    ]
)
@example(
    history=[
        ("say", 0),
        ("delete record", 0),
        ("hear", 0),
        ("say", 8),
        ("decide", 1),
        ("lose", 0),
        ("off", 0),
        ("pay", 0),
    ]
)
@example(
    history=[
        ("delete record", 0),
        ("off", 0),
        ("kill", 0),
        ("on", 0),
        ("say", 1),
        ("hear", 0),
        ("decide", 0),
        ("on", 0),
    ]
)
@example(
    history=[
        ("off", 0),
        ("pay", 0),
        ("hear", 0),
        ("recreate record", 0),
        ("hand over", 0),
        ("on", 0),
        ("hear", 0),
        ("hand over", 0),
    ]
)
async def test_counts_match_the_repositories_after_any_history(
    make_sqlite: MakeDatabase, tmp_path_factory: Any, history: list[HistoryStep]
):
    clock = HandClock(HISTORY_START)
    db = await make_sqlite("openmeet", clock=clock)
    async with open_deployment(db, make_sqlite, clock, tmp_path_factory.mktemp("deployment")) as deployment:
        opened, played = deployment.pds_serving, await begin_history(deployment)
        heard = collect_messages(deployment)
        for act, number in history:
            await played.act(act, number)
        await played.run_until_idle()
        await played.decide(DeletedRecordChoice.PUBLISH)
        await played.act("on", 0)
        await publish_if_kept(played)
        await played.run_until_idle()
        await check(played, heard)
        if deployment.pds_serving is not opened:
            await deployment.pds_serving.stop()


async def check(history: History, heard: list[RecordMessage]) -> None:
    deployment = history.deployment
    async with deployment.db.reader() as reader:
        known = await reader.fetch("select id, removed_at, deleted_at, record_deleted_at, record_uri from events")
        rows = await reader.fetch(
            "select i.did, a.status from attendances a join identities i on i.user_id = a.user_id where a.event_id = :id",
            id=history.event.id,
        )
    assert [row["id"] for row in known] == [history.event.id], "one identity"
    (row,) = known
    assert (row["removed_at"], row["deleted_at"], row["record_deleted_at"]) == (None, None, None)
    publication = await deployment.status_of(PublicationKind.EVENT, history.event.id)
    assert (publication.state, publication.uri) == (PublicationState.PUBLISHED, row["record_uri"])
    assert (await deployment.record(publication.uri or ""))["name"] == "Tea in the park"
    assert (await history.now()).visibility is Visibility.PUBLIC
    in_repository = {uri.split("/")[2] for uri in history.uris}
    assert len(history.uris) == len(in_repository), "one URI in each repository"
    statuses = {row["did"]: row["status"] for row in rows}
    for name, did in history.guests.items():
        assert statuses.get(did) in STANDS_FOR[history.said.get(name)], name
    # The consumer may deliver a commit twice, with the same rev.
    written = {(one.uri, one.cid, one.rev) for one in heard if one.collection == EVENT and one.cid and not one.is_read}
    assert len(written) == len({(uri, cid) for uri, cid, _ in written}), "no two writes of one key are the same bytes"
