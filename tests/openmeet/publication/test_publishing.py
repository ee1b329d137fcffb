"""Record debts against a real PDS over real sockets: consent, create, update, take back, echo, lost replies."""

from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.clock import MINUTE
from groundwork.errors import NotFound
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import session_queries
from openmeet.domain.identities.model import NewSession, PdsSessionKind
from openmeet.network.records.collections import EVENT, ORIGIN_KEY
from openmeet.network.records.rsvp import record_key_for
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.town import INSTANCE, Town


async def absent(town: Town, uri: str) -> bool:
    try:
        await town.record(uri)
    except NotFound:
        return True
    return False


async def test_nothing_exists_before_the_yes(town: Town):
    """No account, no DID, no record for somebody who was not asked (invariant 11)."""
    ana = await town.person(agrees=False)
    event = await town.event(ana)
    await town.pay_debts()
    await town.pay()
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert (standing.state, standing.words(town.clock.now(), is_allowed=False)) == (
        PublicationState.WITHHELD,
        "only here",
    )
    answer = await XrpcClient(town.network.http, town.clock, town.pds_url).query("com.atproto.sync.listRepos")
    assert answer["repos"] == []


async def test_yes_makes_the_repository_and_publishes(town: Town):
    """What waited for the yes is published; the record is ours, valid, and names its origin."""
    ana = await town.person(agrees=False)
    event = await town.event(ana)
    await town.pay()
    async with town.db.transaction() as tx:
        await identities.agree(tx, ana.user_id, handle="ana.town.test")
    await town.pay_debts()
    await town.pay()
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert (standing.state, standing.words(town.clock.now(), is_allowed=True)) == (
        PublicationState.PUBLISHED,
        "on your PDS ✓",
    )
    record = await town.record(standing.uri)
    assert record["$type"] == EVENT
    assert record["name"] == "Tea in the park"
    assert record[ORIGIN_KEY]["eventId"] == event.id
    assert record["uris"][0]["uri"] == f"{INSTANCE}/events/{event.slug}"


async def test_account_is_made_once_though_the_answer_is_lost(town: Town):
    """The stored handle and password find the account that was made by the request whose answer never came."""
    ana = await town.person(agrees=False)
    async with town.db.transaction() as tx:
        await identities.agree(tx, ana.user_id, handle="ana.town.test")
    town.proxy.loses = lambda request: request.path.endswith("createAccount")
    await town.pay_debts()
    assert town.proxy.lost >= 1
    town.proxy.loses = lambda _request: False
    town.clock.turn(10 * MINUTE)
    await town.pay_debts()
    assert (await town.identity(ana.user_id)).handle == "ana.town.test"
    answer = await XrpcClient(town.network.http, town.clock, town.pds_url).query("com.atproto.sync.listRepos")
    assert len(answer["repos"]) == 1


async def test_edit_keeps_what_another_app_added(town: Town):
    """Read-modify-write with a swap: foreign fields survive our update (invariant 6)."""
    cleo = await town.connected()
    event = await town.event(cleo)
    await town.pay()
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    theirs = await town.record(uri)
    swap = theirs.pop("cid")
    app = await town.stranger("cleo")
    did, collection, rkey = uri.removeprefix("at://").split("/")
    await app.procedure(
        "com.atproto.repo.putRecord",
        {
            "repo": did,
            "collection": collection,
            "rkey": rkey,
            "record": {**theirs, "theme": "dark"},
            "swapRecord": swap,
        },
    )
    await town.revise(cleo, event.slug, title="Coffee in the park")
    await town.pay()  # finds the foreign edit, hands it to ingestion
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.RETRYING
    await town.ingest()
    await town.pay()
    record = await town.record(uri)
    assert (record["name"], record["theme"]) == ("Coffee in the park", "dark")
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_both_sides_edit_different_fields(town: Town):
    """A change of the place there and of the title here are both kept."""
    cleo = await town.connected()
    event = await town.event(cleo)
    await town.pay()
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    theirs = await town.record(uri)
    swap = theirs.pop("cid")
    did, collection, rkey = uri.removeprefix("at://").split("/")
    app = await town.stranger("cleo")
    await app.procedure(
        "com.atproto.repo.putRecord",
        {
            "repo": did,
            "collection": collection,
            "rkey": rkey,
            "record": {**theirs, "description": "Bring a cup."},
            "swapRecord": swap,
        },
    )
    await town.revise(cleo, event.slug, title="Coffee in the park")
    await town.listen(cleo.user_id)
    await town.pay()
    record = await town.record(uri)
    assert (record["name"], record["description"]) == ("Coffee in the park", "Bring a cup.")


async def test_lost_reply_is_settled_by_the_echo(town: Town):
    """The PDS stored it, the answer was lost: the firehose alone says so, and nothing is written twice."""
    ana = await town.person()
    event = await town.event(ana)
    town.proxy.loses = lambda request: request.path.endswith("putRecord")
    await town.pay()
    assert town.proxy.lost == 1
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.RETRYING
    await town.listen(ana.user_id)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
    town.clock.turn(10 * MINUTE)
    assert await town.pay() == 0


async def test_lost_reply_is_settled_by_reading_back(town: Town):
    """Without a firehose the payer reads before it sends again."""
    ana = await town.person()
    event = await town.event(ana)
    town.proxy.loses = lambda request: request.path.endswith("putRecord")
    await town.pay()
    town.clock.turn(10 * MINUTE)
    await town.pay()
    assert town.proxy.lost == 1
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_echo_of_our_own_write_changes_nothing(town: Town):
    ana = await town.person()
    event = await town.event(ana)
    await town.pay()
    before = await town.standing(PublicationKind.EVENT, event.id)
    await town.listen(ana.user_id)
    assert await town.standing(PublicationKind.EVENT, event.id) == before
    async with town.db.reader() as reader:
        rows = await reader.fetch("select id from events")
    assert len(rows) == 1


async def test_private_again_is_taken_back(town: Town):
    ana = await town.person()
    event = await town.event(ana)
    await town.pay()
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    await town.revise(ana, event.slug, visibility="private")
    await town.pay()
    assert await absent(town, uri)
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert standing.state is PublicationState.RETRACTED
    await town.listen(ana.user_id)
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select removed_at, record_uri from events")
    assert tuple(row) == (None, None)
    await town.revise(ana, event.slug, visibility="public")
    await town.pay()
    again = await town.standing(PublicationKind.EVENT, event.id)
    assert again.state is PublicationState.PUBLISHED
    assert again.uri == uri


async def test_withdrawn_consent_takes_everything_back(town: Town):
    ana = await town.person()
    event = await town.event(ana)
    await town.answer(ana, event.slug)
    await town.pay()
    await town.pay()
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    async with town.db.transaction() as tx:
        await identities.withdraw(tx, ana.user_id)
    await town.pay()
    assert await absent(town, uri)


async def test_unlisted_and_private_events_are_never_sent(town: Town):
    """Not even an attempt is made (invariant 3)."""
    ana = await town.person()
    unlisted = await town.event(ana, visibility="unlisted")
    private = await town.event(ana, visibility="private")
    await town.pay()
    for event in (unlisted, private):
        assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.WITHHELD


async def test_answer_waits_for_its_event_and_has_the_key_that_follows_from_it(town: Town):
    ana, ben = await town.person("Ana"), await town.person("Ben")
    event = await town.event(ana)
    answer = await town.answer(ben, event.slug)
    await town.pay()
    await town.pay()
    standing = await town.standing(PublicationKind.RSVP, answer.id)
    assert standing.state is PublicationState.PUBLISHED
    event_uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    assert standing.uri.rpartition("/")[2] == record_key_for(parse_at_uri(event_uri))
    record = await town.record(standing.uri)
    assert record["subject"]["cid"] == (await town.record(event_uri))["cid"]
    await town.answer(ben, event.slug, RsvpReply.DECLINED)
    await town.pay()
    assert (await town.record(standing.uri))["status"].endswith("#notgoing")


async def test_ended_session_waits_for_a_login_and_the_login_publishes(town: Town):
    """Nothing is dropped: the row says what it needs, and signing in again pays it."""
    cleo = await town.connected()
    identity = await town.identity(cleo.user_id)
    async with town.db.transaction() as tx:
        stored = await session_queries.find(tx, identity.did)
        await session_queries.set_needs_login(tx, stored)
    event = await town.event(cleo)
    await town.pay()
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert standing.words(town.clock.now(), is_allowed=True) == "sign in again to publish"
    async with town.db.transaction() as tx:
        await session_queries.put(tx, NewSession(identity.did, PdsSessionKind.PASSWORD, stored.pds_url, stored.sealed))
        await identities.connect(tx, identity.did, handle=identity.handle, pds_url=identity.pds_url)
    await town.pay()
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_custodial_session_signs_in_by_itself(town: Town):
    ana = await town.person()
    identity = await town.identity(ana.user_id)
    async with town.db.transaction() as tx:
        await session_queries.set_needs_login(tx, await session_queries.find(tx, identity.did))
    event = await town.event(ana)
    await town.pay()
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_pds_that_is_away_is_tried_again_and_the_event_is_here(town: Town):
    ana = await town.person()
    town.proxy.upstream, upstream = "http://127.0.0.1:9", town.proxy.upstream
    event = await town.event(ana)
    await town.pay()
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert standing.state is PublicationState.RETRYING
    assert "next try in" in standing.words(town.clock.now(), is_allowed=True)
    town.proxy.upstream = upstream
    town.clock.turn(10 * MINUTE)
    await town.pay()
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_deleted_elsewhere_is_not_made_again(town: Town):
    """Somebody deletes the record with another app: the event stays here, its host is asked, and no debt brings the record back."""
    cleo = await town.connected()
    event = await town.event(cleo)
    await town.pay()
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    did, collection, rkey = uri.removeprefix("at://").split("/")
    app = await town.stranger("cleo")
    await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": collection, "rkey": rkey})
    await town.listen(cleo.user_id)
    await town.pay()
    assert await absent(town, uri)
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select removed_at, record_deleted_at from events")
    assert (row["removed_at"], row["record_deleted_at"] is not None) == (None, True)


async def test_deleting_the_event_here_deletes_the_record(town: Town):
    ana = await town.person()
    event = await town.event(ana)
    await town.pay()
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    async with town.db.transaction() as tx:
        await events.delete(tx, ana, event.slug)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTING
    await town.pay()
    assert await absent(town, uri)


async def test_sign_in_reads_the_whole_calendar(town: Town):
    """Events and answers that the account had before are here after signing in; deleted ones go with the next read."""
    await town.account("dora")
    app = await town.stranger("dora")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    record = {"$type": EVENT, "name": "Old times", "createdAt": "2026-01-01T00:00:00Z"}
    made = await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": record})
    dora = await town.connected_as("dora")
    await town.pay_debts()
    async with town.db.reader() as reader:
        rows = await reader.fetch("select title, author_id from events")
    assert [tuple(row) for row in rows] == [("Old times", dora.user_id)]
    rkey = made["uri"].rpartition("/")[2]
    await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": EVENT, "rkey": rkey})
    town.clock.turn(MINUTE)
    await town.connected_as("dora")
    await town.pay_debts()
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select removed_at from events")
    assert row["removed_at"] is not None


async def test_places_of_another_app_outlive_edits_of_a_venue_that_cannot_be_written(town: Town):
    """Hall B stays although our park has no country and the other app strips our mark with each of its writes."""
    cleo = await town.connected()
    event = await town.event(cleo)
    await town.pay()
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    app = await town.stranger("cleo")
    did, collection, rkey = uri.removeprefix("at://").split("/")
    address = {"$type": "community.lexicon.location.address", "country": "AT"}
    halls = [{**address, "name": "Hall A"}, {**address, "name": "Hall B"}]

    async def rewrite(**changes: object) -> None:
        theirs = await town.record(uri)
        swap = theirs.pop("cid")
        theirs.pop(ORIGIN_KEY)
        body = {
            "repo": did,
            "collection": collection,
            "rkey": rkey,
            "record": {**theirs, **changes},
            "swapRecord": swap,
        }
        await app.procedure("com.atproto.repo.putRecord", body)

    async def edit(title: str, **typed: str) -> list[str]:
        await town.revise(cleo, event.slug, title=title, **typed)
        for _ in range(3):
            await town.pay()
            await town.ingest()
        assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
        record = await town.record(uri)
        assert record["name"] == title
        return [place["name"] for place in record["locations"]]

    await rewrite(locations=halls)
    assert await edit("One") == ["Hall A", "Hall B"]
    assert await edit("Two", venue_name="Park", country="") == ["Hall B"]
    assert await edit("Three", venue_name="Park", country="") == ["Hall B"]
    await rewrite(theme="dark")
    assert await edit("Four", venue_name="Park", country="") == ["Hall B"]
    assert await edit("Five", venue_name="Club", country="Austria") == ["Club", "Hall B"]
