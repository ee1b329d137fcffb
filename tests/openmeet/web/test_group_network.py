"""A group's page about the network: each member's consent, off by default; the owner's view of the record; groups whose
records are in other repositories.
"""

import pytest

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import parse_did
from openmeet.domain.groups import administration, queries
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.identities import actions as identities
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.flag_changes import switch
from openmeet.network.ingestion import remote_groups
from openmeet.network.records.collections import GROUP
from openmeet.network.records.group import read_group
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.site_under_test import Site, person, signed_in, site_on

CID = str(Cid.for_cbor(b"\xa0"))
DID = parse_did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


async def planted(site: Site, **typed: str) -> tuple[Group, Caller, Caller]:
    """A group with its owner, and a member who has agreed to publishing."""
    async with site.db.transaction() as tx:
        for flag in (Flag.GROUPS, Flag.MEMBERSHIPS):
            await switch(tx, flag, is_on=True, changed_by="a test")
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, **{"sync_enabled": "on", **typed})
        ben = await add_member(tx, group, ana, "Ben")
        await identities.grant_consent(tx, ben.user_id, handle="ben.town.test")
    return group, ana, ben


async def program(site: Site, who: Caller) -> dict[str, str]:
    """The headers of this person's API client."""
    async with site.db.transaction() as tx:
        session = await open_session(tx, who.user_id, SessionTransport.API)
    return {"authorization": f"Bearer {session.token}"}


async def publications_of(site: Site, kind: PublicationKind) -> int:
    async with site.db.reader() as reader:
        return len(await reader.fetch("select subject_id from publications where kind = :kind", kind=kind))


async def test_a_member_consents_and_withdraws(site: Site):
    group, _, ben = await planted(site)
    assert await publications_of(site, PublicationKind.MEMBERSHIP) == 0
    async with signed_in(site, ben.user_id) as browser:
        before = (await browser.get(f"/groups/{group.slug}/network")).text
        assert "Show it to everyone" in before
        assert "Copies may remain" in before
        assert "Where the group’s copy is stored" not in before
        for word, expected, offered in (("yes", True, "Hide my name"), ("no", False, "Show it to everyone")):
            answer = await browser.post(f"/groups/{group.slug}/network", data={"public": word})
            assert answer.status_code == 303
            assert offered in (await browser.get(f"/groups/{group.slug}/network")).text
            async with site.db.reader() as reader:
                mine = await queries.find_member(reader, group.id, ben.user_id)
            assert mine is not None
            assert mine.sync_enabled is expected
    headers = await program(site, ben)
    async with site.browser() as browser:
        shown = await browser.get(f"/api/groups/{group.slug}/network", headers=headers)
        assert shown.json()["mine"]["isPublic"] is False
        path = f"/api/groups/{group.slug}/network/name"
        put = await browser.put(path, json={"isPublic": True}, headers=headers)
        assert put.json()["mine"]["isPublic"] is True
        assert put.json()["share"] == "all"


async def test_without_consent_or_a_published_group_nothing_is_offered(site: Site):
    group, ana, ben = await planted(site, promotion_level="members")
    async with signed_in(site, ben.user_id) as browser:
        shown = (await browser.get(f"/groups/{group.slug}/network")).text
        assert "Show it to everyone" not in shown
        assert "The owner decides what other apps show of this group." in shown
    async with signed_in(site, ana.user_id) as browser:
        shown = (await browser.get(f"/groups/{group.slug}/network")).text
        assert "Other apps can show only its name and the address of its page." in shown
        assert "agree to sync" in shown
        assert "The owner decides" not in shown


async def test_a_group_that_is_only_here_has_no_copy(site: Site):
    group, ana, _ = await planted(site, promotion_level="private")
    async with signed_in(site, ana.user_id) as browser:
        shown = (await browser.get(f"/groups/{group.slug}/network")).text
    assert "The group is only on this site." in shown
    assert "Where the group’s copy is stored" not in shown
    assert "In your account" not in shown


async def test_strangers_do_not_find_the_page(site: Site):
    group, _, _ = await planted(site)
    async with site.db.transaction() as tx:
        cleo = await person(tx, "Cleo")
    async with signed_in(site, cleo.user_id) as browser:
        assert (await browser.get(f"/groups/{group.slug}/network")).status_code == 403
        assert (await browser.post(f"/groups/{group.slug}/network", data={"public": "yes"})).status_code == 403
    assert await publications_of(site, PublicationKind.MEMBERSHIP) == 0


async def test_only_the_owner_decides_whether_the_group_is_published(site: Site):
    """An admin's form leaves the choice unchanged, and a request to change it is refused."""
    group, ana, ben = await planted(site)
    async with signed_in(site, ana.user_id) as browser:
        assert 'name="sync_enabled" value="on" checked' in (await browser.get(f"/groups/{group.slug}/settings")).text
    async with site.db.transaction() as tx:
        await administration.change_role(tx, ana, group.slug, ben.user_id, GroupRole.ADMIN)
    async with signed_in(site, ben.user_id) as browser:
        form = (await browser.get(f"/groups/{group.slug}/settings")).text
        assert "Show the group itself in other apps" not in form
        assert '<input type="hidden" name="sync_enabled" value="on">' in form
        kept = {"name": "Chess club", "timeZone": "Europe/Berlin"}
        headers = await program(site, ben)
        path = f"/api/groups/{group.slug}"
        assert (await browser.put(path, json=kept | {"syncEnabled": False}, headers=headers)).status_code == 403
        assert (await browser.put(path, json=kept, headers=headers)).json()["syncEnabled"] is True


async def test_a_remote_group_is_shown_and_joined_by_a_public_record(site: Site):
    _, _, ben = await planted(site)
    uri = f"at://{DID}/{GROUP}/chess"
    async with site.db.transaction() as tx:
        read = read_group(GROUP, {"name": "Go elsewhere", "description": "We meet there."})
        await remote_groups.apply_record(tx, DID, uri, CID, read)
        row = await tx.fetch_one("select slug from groups where external_id = :uri", uri=uri)
    path = f"/groups/{row['slug']}"
    async with signed_in(site, ben.user_id) as browser:
        shown = (await browser.get(path)).text
        assert "We meet there." in shown
        assert "From another app" in shown
        assert (await browser.post(f"{path}/join", data={})).status_code == 400
        assert "Ask to join publicly" in (await browser.get(f"{path}/network")).text
        assert (await browser.post(f"{path}/network", data={"public": "yes"})).status_code == 303
        assert "Withdraw" in (await browser.get(f"{path}/network")).text
    assert await publications_of(site, PublicationKind.MEMBERSHIP) == 1
    async with site.db.reader() as reader:
        kept = await queries.by_slug(reader, row["slug"])
        mine = await queries.find_member(reader, kept.id, ben.user_id)
    assert (mine.role, mine.sync_enabled) == (GroupRole.PENDING, True)


async def test_the_owner_gives_the_group_a_repository(make_sqlite, clock):
    """The owner needs a confirmation and a handle. Without them nothing is created, and nobody else may do this."""
    async with offline_publishing(clock) as publishing:
        site = site_on(await make_sqlite("openmeet"), clock, publishing=publishing)
    group, ana, ben = await planted(site)
    async with signed_in(site, ben.user_id) as browser:
        assert (await browser.get(f"/groups/{group.slug}/repository")).status_code == 403
    async with signed_in(site, ana.user_id) as browser:
        assert "chess-club.town.test" in (await browser.get(f"/groups/{group.slug}/repository")).text
        for typed, status in (({"handle": "chess"}, 400), ({"handle": "c", "publish": "yes"}, 400)):
            answer = await browser.post(f"/groups/{group.slug}/repository", data=typed)
            assert answer.status_code == status
        async with site.db.reader() as reader:
            assert (await queries.by_id(reader, group.id)).network.account_id is None
        answer = await browser.post(f"/groups/{group.slug}/repository", data={"handle": "chess", "publish": "yes"})
        assert answer.status_code == 303
        assert "which is being created" in (await browser.get(f"/groups/{group.slug}/network")).text
    async with site.db.reader() as reader:
        assert (await queries.by_id(reader, group.id)).network.account_id is not None
        rows = await reader.fetch("select subject from outbox_jobs where kind = 'custodial_account' order by subject")
    assert len(rows) == 2  # the records of Ben, who agreed, and of the group
