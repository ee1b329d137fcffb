"""Lexicon queries in the town full of secrets: each caller gets the data that they may see and nothing else."""

import pytest

from openmeet.domain.users.model import Caller
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.privacy.hidden_content import keep_away, withhold
from tests.openmeet.privacy.lexicon_queries import answer_everything, ask_everything, put_records
from tests.openmeet.privacy.planted import FORMER, HOST, MEMBER, NOBODY, STRANGER, Viewer
from tests.openmeet.privacy.secret_fixtures import plant
from tests.openmeet.privacy.site_crawler import UNLIMITED, look_everywhere
from tests.openmeet.site_under_test import site_on
from tests.openmeet.xrpc.query_client import People


@pytest.fixture
def people(clock):
    return People(clock)


@pytest.fixture
async def site(make_sqlite, clock, people):
    db = await make_sqlite("openmeet")
    async with offline_publishing(clock) as publishing:
        yield site_on(db, clock, service_callers=people.callers(), publishing=publishing, **UNLIMITED)


async def test_queries_return_only_permitted_secrets(site, people):
    async with site.db.transaction() as tx:
        planted = await plant(tx)
    async with site.db.transaction() as tx:
        await withhold(tx, planted)
    async with site.db.transaction() as tx:
        await keep_away(tx, planted)
        records = await put_records(tx)
        dids = {viewer: await people.connect(tx, caller) for viewer, caller in planted.callers.items()}
    found = {}
    for viewer in Viewer:
        look = await ask_everything(site, planted, viewer, people, dids, records)
        assert look.beyond(planted.meant_for(viewer)) == {}, f"{viewer} is told secrets that they may not see"
        assert look.broken() == []
        if viewer in {NOBODY, STRANGER}:
            assert look.unlike_absent(planted) == [], f"{viewer} can tell that a hidden object exists"
        found[viewer] = look.secrets
    assert found[NOBODY] == set()
    assert found[MEMBER] >= {"clubname", "clubtext", "clubeventtitle", "choireventtitle"}
    assert found[HOST] >= {"privatetitle", "venue", "link", "unlistedtitle", "clubeventtitle"}


@pytest.mark.parametrize("viewer", [STRANGER, FORMER])
async def test_answer_written_by_another_app_grants_no_access(site, people, viewer):
    """Anyone can write records, so they can name any event that has one, including events for few people."""
    async with site.db.transaction() as tx:
        planted = await plant(tx)
        records = await put_records(tx)
        dids = {viewer: await people.connect(tx, planted.callers[viewer])}
    assert await answer_everything(site, dids[viewer]) > 5
    for look in (
        await ask_everything(site, planted, viewer, people, dids, records),
        await look_everywhere(site, planted, viewer),
    ):
        assert look.beyond(planted.meant_for(viewer)) == {}
        assert look.broken() == []
        if viewer is STRANGER:
            assert look.unlike_absent(planted) == []


async def test_an_unknown_caller_gets_what_anonymous_callers_get(site, people):
    """This includes the DID of a shadow account, whose owner has never signed in."""
    async with site.db.transaction() as tx:
        planted = await plant(tx)
        records = await put_records(tx)
        shadow = await people.connect(tx, Caller(planted.callers[HOST].user_id, ""))
        await tx.execute("update identities set kind = 'shadow' where did = :did", did=shadow)
    for did in (people.account("unknown"), shadow):
        look = await ask_everything(site, planted, STRANGER, people, {STRANGER: did}, records)
        assert look.beyond(set()) == {}
        assert look.broken() == []


async def test_the_same_queries_find_the_secrets_in_public_things(site, people):
    async with site.db.transaction() as tx:
        planted = await plant(tx, is_open=True)
    async with site.db.transaction() as tx:
        await withhold(tx, planted, is_open=True)
        records = await put_records(tx)
    look = await ask_everything(site, planted, NOBODY, people, {}, records)
    assert {
        "venue",
        "street",
        "north",
        "east",
        "link",
        "reason",
        "clubname",
        "clubtext",
        "rehearsaltext",
        "secretseriestext",
        "denname",
        "dentext",
        "denseriestext",
    } <= look.secrets
    for event in ("private", "unlisted", "clubevent", "choirevent", "denevent", "hidden", "waiting", "ofhiddengroup"):
        assert {f"{event}{part}" for part in ("title", "text", "venue", "tag")} <= look.secrets
    for asked in ("listEvents?{}", "listActorEvents", "getEvent", "listSeriesEvents", "listGroupEvents", "getGroup"):
        assert any(where.startswith(f"GET {asked}") for where in look.found), asked
