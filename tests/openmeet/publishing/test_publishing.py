"""Publications against a real PDS over real sockets: consent, creates, updates, retractions, lost responses."""

from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.clock import MINUTE
from groundwork.errors import NotFound
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import session_queries
from openmeet.domain.identities.model import NewSession, PdsSessionKind
from openmeet.i18n.reasons.messages import explain
from openmeet.network.records.collections import EVENT, ORIGIN_KEY
from openmeet.network.records.rsvp import record_key_for
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import RecordStatus
from tests.openmeet.deployment import INSTANCE, Deployment


async def absent(deployment: Deployment, uri: str) -> bool:
    try:
        await deployment.record(uri)
    except NotFound:
        return True
    return False


async def test_nothing_exists_before_consent(deployment: Deployment):
    """A person who was not asked has no account, no DID and no record (invariant 11)."""
    ana = await deployment.person(agrees=False)
    event = await deployment.event(ana)
    await deployment.deliver_jobs()
    await deployment.deliver_publications()
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert (publication.state, publication.explanation_for_owner(deployment.clock.now(), is_allowed=False)) == (
        PublicationState.WITHHELD,
        RecordStatus.ONLY_HERE(),
    )
    answer = await XrpcClient(deployment.network.http, deployment.clock, deployment.pds_url).query(
        "com.atproto.sync.listRepos"
    )
    assert answer["repos"] == []


async def test_consent_creates_the_repository_and_publishes(deployment: Deployment):
    """Content that waited for consent is published. The record is owned by this site, valid, and has a mark of origin."""
    ana = await deployment.person(agrees=False)
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        await identities.grant_consent(tx, ana.user_id, handle="ana.town.test")
    await deployment.deliver_jobs()
    await deployment.deliver_publications()
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert (publication.state, publication.explanation_for_owner(deployment.clock.now(), is_allowed=True)) == (
        PublicationState.PUBLISHED,
        RecordStatus.PUBLISHED(),
    )
    record = await deployment.record(publication.uri)
    assert record["$type"] == EVENT
    assert record["name"] == "Tea in the park"
    assert record[ORIGIN_KEY]["eventId"] == event.id
    assert record["uris"][0]["uri"] == f"{INSTANCE}/events/{event.slug}"


async def test_the_account_is_created_once_despite_a_lost_response(deployment: Deployment):
    """The stored handle and password find the account that was created by the request whose response was lost."""
    ana = await deployment.person(agrees=False)
    async with deployment.db.transaction() as tx:
        await identities.grant_consent(tx, ana.user_id, handle="ana.town.test")
    deployment.proxy.loses = lambda request: request.path.endswith("createAccount")
    await deployment.deliver_jobs()
    assert deployment.proxy.lost >= 1
    deployment.proxy.loses = lambda _request: False
    deployment.clock.turn(10 * MINUTE)
    await deployment.deliver_jobs()
    assert (await deployment.identity(ana.user_id)).handle == "ana.town.test"
    answer = await XrpcClient(deployment.network.http, deployment.clock, deployment.pds_url).query(
        "com.atproto.sync.listRepos"
    )
    assert len(answer["repos"]) == 1


async def test_our_edit_keeps_fields_of_another_app(deployment: Deployment):
    """Read-modify-write with a swap: this site's update keeps unknown fields (invariant 6)."""
    cleo = await deployment.connected()
    event = await deployment.event(cleo)
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    theirs = await deployment.record(uri)
    swap = theirs.pop("cid")
    app = await deployment.stranger("cleo")
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
    await deployment.revise(cleo, event.slug, title="Coffee in the park")
    await deployment.deliver_publications()  # finds the foreign edit and hands it to ingestion
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.RETRYING
    await deployment.ingest()
    await deployment.deliver_publications()
    record = await deployment.record(uri)
    assert (record["name"], record["theme"]) == ("Coffee in the park", "dark")
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_both_sides_can_edit_different_fields(deployment: Deployment):
    """A place changed in another app and a title changed on this site are both kept."""
    cleo = await deployment.connected()
    event = await deployment.event(cleo)
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    theirs = await deployment.record(uri)
    swap = theirs.pop("cid")
    did, collection, rkey = uri.removeprefix("at://").split("/")
    app = await deployment.stranger("cleo")
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
    await deployment.revise(cleo, event.slug, title="Coffee in the park")
    await deployment.listen(cleo.user_id)
    await deployment.deliver_publications()
    record = await deployment.record(uri)
    assert (record["name"], record["description"]) == ("Coffee in the park", "Bring a cup.")


async def test_the_firehose_completes_a_write_whose_response_was_lost(deployment: Deployment):
    """The PDS stored the record and the response was lost. The firehose alone completes the write, and nothing is
    written twice.
    """
    ana = await deployment.person()
    event = await deployment.event(ana)
    deployment.proxy.loses = lambda request: request.path.endswith("putRecord")
    await deployment.deliver_publications()
    assert deployment.proxy.lost == 1
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.RETRYING
    await deployment.listen(ana.user_id)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
    deployment.clock.turn(10 * MINUTE)
    assert await deployment.deliver_publications() == 0


async def test_reading_back_completes_a_write_whose_response_was_lost(deployment: Deployment):
    """Without a firehose the publisher reads the record before it sends again."""
    ana = await deployment.person()
    event = await deployment.event(ana)
    deployment.proxy.loses = lambda request: request.path.endswith("putRecord")
    await deployment.deliver_publications()
    deployment.clock.turn(10 * MINUTE)
    await deployment.deliver_publications()
    assert deployment.proxy.lost == 1
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_our_own_write_changes_nothing_when_it_comes_back(deployment: Deployment):
    ana = await deployment.person()
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    before = await deployment.status_of(PublicationKind.EVENT, event.id)
    await deployment.listen(ana.user_id)
    assert await deployment.status_of(PublicationKind.EVENT, event.id) == before
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select id from events")
    assert len(rows) == 1


async def test_an_event_made_private_is_retracted(deployment: Deployment):
    ana = await deployment.person()
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    await deployment.revise(ana, event.slug, visibility="private")
    await deployment.deliver_publications()
    assert await absent(deployment, uri)
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.state is PublicationState.RETRACTED
    await deployment.listen(ana.user_id)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select removed_at, record_uri from events")
    assert tuple(row) == (None, None)
    await deployment.revise(ana, event.slug, visibility="public")
    await deployment.deliver_publications()
    again = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert again.state is PublicationState.PUBLISHED
    assert again.uri == uri


async def test_withdrawn_consent_retracts_everything(deployment: Deployment):
    ana = await deployment.person()
    event = await deployment.event(ana)
    await deployment.answer(ana, event.slug)
    await deployment.deliver_publications()
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    async with deployment.db.transaction() as tx:
        await identities.withdraw(tx, ana.user_id)
    await deployment.deliver_publications()
    assert await absent(deployment, uri)


async def test_unlisted_and_private_events_are_never_sent(deployment: Deployment):
    """There is not even an attempt (invariant 3)."""
    ana = await deployment.person()
    unlisted = await deployment.event(ana, visibility="unlisted")
    private = await deployment.event(ana, visibility="private")
    await deployment.deliver_publications()
    for event in (unlisted, private):
        assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.WITHHELD


async def test_an_answer_waits_for_its_event_and_has_a_derived_record_key(deployment: Deployment):
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event = await deployment.event(ana)
    answer = await deployment.answer(ben, event.slug)
    await deployment.deliver_publications()
    await deployment.deliver_publications()
    publication = await deployment.status_of(PublicationKind.RSVP, answer.id)
    assert publication.state is PublicationState.PUBLISHED
    event_uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    assert publication.uri.rpartition("/")[2] == record_key_for(parse_at_uri(event_uri))
    record = await deployment.record(publication.uri)
    assert record["subject"]["cid"] == (await deployment.record(event_uri))["cid"]
    await deployment.answer(ben, event.slug, RsvpReply.DECLINED)
    await deployment.deliver_publications()
    assert (await deployment.record(publication.uri))["status"].endswith("#notgoing")


async def test_an_ended_session_waits_for_a_sign_in_that_publishes(deployment: Deployment):
    """No write is dropped. The row says that a sign-in is needed, and signing in again publishes it."""
    cleo = await deployment.connected()
    identity = await deployment.identity(cleo.user_id)
    async with deployment.db.transaction() as tx:
        stored = await session_queries.find(tx, identity.did)
        await session_queries.set_needs_login(tx, stored)
    event = await deployment.event(cleo)
    await deployment.deliver_publications()
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert (
        publication.explanation_for_owner(deployment.clock.now(), is_allowed=True) == RecordStatus.SIGN_IN_TO_PUBLISH()
    )
    async with deployment.db.transaction() as tx:
        await session_queries.put(tx, NewSession(identity.did, PdsSessionKind.PASSWORD, stored.pds_url, stored.sealed))
        await identities.connect(tx, identity.did, handle=identity.handle, pds_url=identity.pds_url)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_a_custodial_session_is_renewed_automatically(deployment: Deployment):
    ana = await deployment.person()
    identity = await deployment.identity(ana.user_id)
    async with deployment.db.transaction() as tx:
        await session_queries.set_needs_login(tx, await session_queries.find(tx, identity.did))
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_a_pds_that_is_down_is_retried_and_the_event_is_shown(deployment: Deployment):
    ana = await deployment.person()
    deployment.proxy.upstream, upstream = "http://127.0.0.1:9", deployment.proxy.upstream
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.state is PublicationState.RETRYING
    assert "next try in" in explain(publication.explanation_for_owner(deployment.clock.now(), is_allowed=True))
    deployment.proxy.upstream = upstream
    deployment.clock.turn(10 * MINUTE)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_a_record_deleted_elsewhere_is_not_recreated(deployment: Deployment):
    """The record is deleted with another app. The event stays, its host is asked, and no job recreates the record."""
    cleo = await deployment.connected()
    event = await deployment.event(cleo)
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    did, collection, rkey = uri.removeprefix("at://").split("/")
    app = await deployment.stranger("cleo")
    await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": collection, "rkey": rkey})
    await deployment.listen(cleo.user_id)
    await deployment.deliver_publications()
    assert await absent(deployment, uri)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select removed_at, record_deleted_at from events")
    assert (row["removed_at"], row["record_deleted_at"] is not None) == (None, True)


async def test_deleting_the_event_here_deletes_the_record(deployment: Deployment):
    ana = await deployment.person()
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    async with deployment.db.transaction() as tx:
        await events.delete(tx, ana, event.slug)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTING
    await deployment.deliver_publications()
    assert await absent(deployment, uri)


async def test_signing_in_reads_the_whole_calendar(deployment: Deployment):
    """Events and answers that the account had before are on this site after signing in. Deleted ones disappear with the
    next read.
    """
    await deployment.account("dora")
    app = await deployment.stranger("dora")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    record = {"$type": EVENT, "name": "Old times", "createdAt": "2026-01-01T00:00:00Z"}
    made = await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": record})
    dora = await deployment.connected_as("dora")
    await deployment.deliver_jobs()
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select title, author_id from events")
    assert [tuple(row) for row in rows] == [("Old times", dora.user_id)]
    rkey = made["uri"].rpartition("/")[2]  # type: ignore[attr-defined]  # JSON
    await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": EVENT, "rkey": rkey})
    deployment.clock.turn(MINUTE)
    await deployment.connected_as("dora")
    await deployment.deliver_jobs()
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select removed_at from events")
    assert row["removed_at"] is not None


async def test_places_of_another_app_survive_edits_of_an_unwritable_venue(deployment: Deployment):
    """Hall B is kept, although this site's venue has no country and the other app removes this site's mark with each of
    its writes.
    """
    cleo = await deployment.connected()
    event = await deployment.event(cleo)
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    app = await deployment.stranger("cleo")
    did, collection, rkey = uri.removeprefix("at://").split("/")
    address = {"$type": "community.lexicon.location.address", "country": "AT"}
    halls = [{**address, "name": "Hall A"}, {**address, "name": "Hall B"}]

    async def rewrite(**changes: object) -> None:
        theirs = await deployment.record(uri)
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
        await deployment.revise(cleo, event.slug, title=title, **typed)
        for _ in range(3):
            await deployment.deliver_publications()
            await deployment.ingest()
        assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
        record = await deployment.record(uri)
        assert record["name"] == title
        return [place["name"] for place in record["locations"]]

    await rewrite(locations=halls)
    assert await edit("One") == ["Hall A", "Hall B"]
    assert await edit("Two", venue_name="Park", country="") == ["Hall B"]
    assert await edit("Three", venue_name="Park", country="") == ["Hall B"]
    await rewrite(theme="dark")
    assert await edit("Four", venue_name="Park", country="") == ["Hall B"]
    assert await edit("Five", venue_name="Club", country="Austria") == ["Club", "Hall B"]
