"""Who has several accounts answers where they answered before: no other app goes on showing what they said first."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE, HandClock
from openmeet.attendance.model import Reply
from openmeet.claiming import actions as claiming
from openmeet.debts.publications import Kind, State
from openmeet.events.model import Event
from openmeet.flags.model import Flag
from openmeet.groups import publishing
from openmeet.identities import actions as identities
from openmeet.identities import linking
from openmeet.ingestion.backfill import backfill
from openmeet.records.collections import MEMBERSHIP, RSVP
from openmeet.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.publication.test_groups import found, let_in, pay, records_in, turn
from tests.openmeet.publication.test_moving_records import second_account
from tests.openmeet.town import Town, open_town


@pytest.fixture
async def town(
    make_database: MakeDatabase, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> AsyncIterator[Town]:
    async with open_town(await make_database("openmeet", clock=clock), make_sqlite, clock, tmp_path) as opened:
        yield opened


async def public_event(town: Town) -> tuple[Event, str]:
    event = await town.event(await town.connected("hedi"), title="Chess")
    await pay(town)
    return event, (await town.standing(Kind.EVENT, event.id)).uri or ""


async def write(town: Town, name: str, did: Did, collection: str, record: dict[str, object]) -> str:
    """What somebody writes into their own repository with another app; read in here."""
    app = await town.stranger(name)
    made = await app.procedure(
        "com.atproto.repo.createRecord",
        {
            "repo": did,
            "collection": collection,
            "record": {"$type": collection, "createdAt": "2026-03-01T00:00:00Z", **record},
        },
    )
    await backfill(town.db, town.network, town.processor.here, did)
    return str(made["uri"])


async def going(town: Town, name: str, did: Did, event_uri: str) -> str:
    cid = (await town.record(event_uri))["cid"]
    subject = {"uri": event_uri, "cid": cid}
    return await write(town, name, did, RSVP, {"subject": subject, "status": f"{RSVP}#going"})


async def says_no(town: Town, who: Caller, event: Event, answered_at: str) -> None:
    """They say no here; the answer that they had given is changed, and their other repositories hold none."""
    town.clock.turn(MINUTE)
    answer = await town.answer(who, event.slug, Reply.DECLINED)
    await pay(town)
    standing = await town.standing(Kind.RSVP, answer.id)
    assert (standing.state, standing.uri) == (State.PUBLISHED, answered_at)
    assert (await town.record(answered_at))["status"] == f"{RSVP}#notgoing"


async def test_an_answer_in_the_older_account_is_changed_there(town: Town):
    event, uri = await public_event(town)
    cleo = await town.connected("cleo")
    first = (await town.identity(cleo.user_id)).did
    said = await going(town, "cleo", first, uri)
    work = await second_account(town, cleo)
    await backfill(town.db, town.network, town.processor.here, work)
    await says_no(town, cleo, event, said)
    assert await records_in(town, work, RSVP) == {}


async def test_of_several_the_one_that_counts_is_changed(town: Town):
    """It said no: whatever the other says, that is not what their page here goes by."""
    event, uri = await public_event(town)
    cleo = await town.connected("cleo")
    first = (await town.identity(cleo.user_id)).did
    await going(town, "cleo", first, uri)
    work = await second_account(town, cleo)
    subject = {"uri": uri, "cid": (await town.record(uri))["cid"]}
    later = {"subject": subject, "status": f"{RSVP}#interested", "createdAt": "2026-03-01T00:00:30Z"}
    counts = await write(town, "work", work, RSVP, later)
    async with town.db.transaction() as tx:
        await linking.switch(tx, cleo.user_id, first)
    await says_no(town, cleo, event, counts)


async def test_an_answer_of_an_account_that_they_claimed_is_changed_there(town: Town):
    """Met as a stranger's, joined with somebody who has an account already, which stays the one for new records."""
    event, uri = await public_event(town)
    cleo = await town.connected("cleo")
    await town.account("work")
    app = await town.stranger("work")
    work = Did(str((await app.query("com.atproto.server.getSession"))["did"]))
    async with town.db.transaction() as tx:
        await identities.person_for_did(tx, work)
    said = await going(town, "work", work, uri)
    async with town.db.transaction() as tx:
        proven = await claiming.sign_in_with_did(
            tx, work, handle="work.town.test", pds_url=town.pds_url, caller=cleo.user_id
        )
    assert proven.claim is not None
    async with town.db.transaction() as tx:
        await claiming.confirm(tx, cleo.user_id, proven.claim)
    assert (await town.connected_as("work")).user_id == cleo.user_id
    first = (await town.identity(cleo.user_id)).did
    assert first != work
    await says_no(town, cleo, event, said)
    assert await records_in(town, first, RSVP) == {}


async def test_what_a_member_said_in_the_older_account_is_the_one_to_change(town: Town):
    await turn(town, Flag.GROUPS, Flag.MEMBERSHIPS)
    hedi, cleo = await town.connected("hedi"), await town.connected("cleo")
    group = await found(town, hedi)
    await let_in(town, hedi, group, cleo)
    first = (await town.identity(cleo.user_id)).did
    said = await write(town, "cleo", first, MEMBERSHIP, {"group": group.network.record_uri})
    work = await second_account(town, cleo)
    async with town.db.transaction() as tx:
        await publishing.show_membership(tx, cleo, group.slug, is_public=False)
    await pay(town)
    async with town.db.transaction() as tx:
        await publishing.show_membership(tx, cleo, group.slug, is_public=True)
    await pay(town)
    assert await records_in(town, work, MEMBERSHIP) == {}
    assert len(await records_in(town, first, MEMBERSHIP)) == 1, said
