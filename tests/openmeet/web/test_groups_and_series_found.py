"""Groups and series that were read from the network are found by search and listed as events are."""

import re

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.domain.events.content import Content
from openmeet.domain.identities import actions as identities
from openmeet.domain.moderation import visibility
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.series import actions as series_actions
from openmeet.feature_flags.flags import MAX_AGE, Flag
from openmeet.network.flag_changes import switch
from openmeet.network.records.collections import GROUP, MEMBERSHIP
from openmeet.network.records.message import RecordMessage
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.group_and_series_messages import date_message, series_message
from tests.openmeet.ingestion.network import did, event, message, rev
from tests.openmeet.series.practice import weekly as weekly_timing
from tests.openmeet.site_under_test import api_session, person, site_on
from tests.openmeet.web.event_cards import apply_and_release, badges_in, badges_of_card
from tests.simulation.oracle import Change
from tests.visible_text import visible_text


@pytest.fixture
async def db(make_sqlite: MakeDatabase, clock: HandClock) -> Database:
    db = await make_sqlite("openmeet", clock=clock)
    for flag in (Flag.SERIES_LEXICON, Flag.GROUPS, Flag.MEMBERSHIPS):
        async with db.transaction() as tx:
            await switch(tx, flag, is_on=True, changed_by="a test")
    clock.turn(MAX_AGE)
    return db


def group(author: int, name: str, at: int = 1) -> RecordMessage:
    value = {"$type": GROUP, "name": name, "createdAt": "2026-01-01T00:00:00Z"}
    return message(Change(did(author), GROUP, "chess", rev(at), value))


async def test_remote_groups_are_found_by_search_and_by_source(db: Database, clock: HandClock) -> None:
    """Remote groups are not in the unfiltered list. They are not found while the account with their record waits for
    moderation or is hidden.
    """
    await apply_and_release(db, group(2, "Chess far away"))
    async with site_on(db, clock).browser() as browser:
        assert "Chess far away" not in (await browser.get("/groups")).text
        assert (await browser.get("/api/groups")).json()["groups"] == []
        for path in ("/groups?q=chess", "/groups?source=all", "/groups?source=atproto"):
            text = (await browser.get(path)).text
            assert "Chess far away" in text, path
            assert badges_in(text) == ["From another app"]
        assert "Chess far away" not in (await browser.get("/groups?source=openmeet")).text
        for query in ("q=chess", "source=bluesky"):
            (one,) = (await browser.get(f"/api/groups?{query}")).json()["groups"]
            assert one["name"] == "Chess far away"
        assert (await browser.get("/api/groups?source=mars")).status_code == 400
        page = (await browser.get(f"/groups/{one['slug']}")).text
        assert badges_in(page)[:1] == ["From another app"]
        async with db.transaction() as tx:
            await visibility.hold(tx, [Subject(ModeratedKind.DID, did(2))], SubjectVisibility.ARRIVAL)
        assert (await browser.get("/api/groups?q=chess")).json()["groups"] == []


async def test_series_are_found_by_search_and_listed(db: Database, clock: HandClock) -> None:
    """Each is listed once, with its next date. Series of strangers are listed on request; private ones and single
    events never are.
    """
    days = ["2026-03-07", "2026-03-21"]
    await apply_and_release(
        db,
        series_message(1, name="Games far away"),
        *(date_message(f"d{n}", 2 + n, day) for n, day in enumerate(days)),
        event(2, "alone", 1, "Games alone", startsAt="2026-03-07T17:00:00Z"),
    )
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        own = await series_actions.create(tx, ben, Content("Games here"), weekly_timing())
    async with site_on(db, clock).browser() as browser:
        plain = (await browser.get("/series")).text
        assert "Games here" in plain
        assert "Games alone" not in plain
        assert 'href="/series?source=all"' in plain
        assert re.findall(r'<h2><a href="([^"]+)">([^<]+)</a>', plain) == [(f"/series/{own.slug}", "Games here")]
        assert "Every Tuesday" in visible_text(plain)
        assert "more dates" not in plain.lower()
        found = (await browser.get("/api/series/search")).json()["series"]
        assert {one["title"] for one in found} == {"Games here", "Games far away"}
        (there,) = (await browser.get("/api/series/search?source=atproto&q=games")).json()["series"]
        assert (there["title"], there["isReadOnly"]) == ("Games far away", True)
        (here,) = (await browser.get("/api/series/search?source=openmeet")).json()["series"]
        assert here["slug"] == own.slug
        shown = (await browser.get("/series?source=atproto")).text
        assert badges_of_card(shown, "Games") == ["From another app"]
        assert "Nothing matches" in (await browser.get("/series?q=alone")).text
        mistyped = (await browser.get("/series?source=all&q=gaems")).text
        assert "These match “Games”" in mistyped
        assert ">Games here<" in mistyped
        forgiven = (await browser.get("/api/series/search?q=gaems")).json()["series"]
        assert {one["title"] for one in forgiven} == {"Games here", "Games far away"}
        assert (await browser.get("/api/series/search?source=mars")).status_code == 400
        first = (await browser.get("/api/series/search?limit=1")).json()
        second = (await browser.get("/api/series/search", params={"limit": 1, "cursor": first["cursor"]})).json()
        assert len({one["slug"] for one in (*first["series"], *second["series"])}) == 2
        async with db.transaction() as tx:
            await identities.connect(tx, did(1), handle="ana.example", pds_url="")
        assert "/series?source=all" in (text := (await browser.get("/series")).text)
        assert ">Games<" in text, "the author is now a member"


async def test_the_search_links_to_groups_and_series(db: Database, clock: HandClock) -> None:
    async with site_on(db, clock).browser() as browser:
        text = (await browser.get("/?q=chess")).text
    assert 'href="/groups?q=chess"' in text
    assert 'href="/series?q=chess"' in text


async def test_groups_members_and_series_name_their_record(db: Database, clock: HandClock) -> None:
    """The kind, URI, repository, version and sync time. For something made on this site without a record, only the
    kind.
    """
    far = group(2, "Chess far away")
    games = series_message(1, name="Games far away")
    claim = {"$type": MEMBERSHIP, "group": {"uri": far.uri, "cid": far.cid}, "createdAt": "2026-01-01T00:00:00Z"}
    await apply_and_release(
        db,
        far,
        games,
        date_message("d0", 2, "2026-03-07"),
        message(Change(did(3), MEMBERSHIP, "mine", rev(3), claim)),
    )
    async with site_on(db, clock).browser() as browser:
        (there,) = (await browser.get("/api/groups?source=atproto")).json()["groups"]
        (found,) = (await browser.get("/api/series/search")).json()["series"]
        for shown, record in ((there, far), (found, games)):
            source = shown["source"]
            assert (source["kind"], source["recordUri"], source["did"], source["recordCid"]) == (
                "atproto",
                record.uri,
                record.did,
                record.cid,
            )
            assert source["syncedAt"].startswith("2026-03-01T")
        ana = await api_session(browser, "ana@example.org", "Ana")
        made = await browser.post("/api/groups", json={"name": "Here", "timeZone": "UTC"}, headers=ana)
        nothing = {"recordUri": None, "did": None, "recordCid": None, "syncedAt": None}
        assert made.json()["source"] == {"kind": "openmeet", **nothing}
        members = (await browser.get(f"/api/groups/{made.json()['slug']}/members", headers=ana)).json()["members"]
        assert [one["source"] for one in members] == [{"kind": "openmeet", **nothing}]
        async with db.transaction() as tx:
            await tx.execute("update group_members set external_id = :uri", uri=claim_uri(did(3)))
        members = (await browser.get(f"/api/groups/{made.json()['slug']}/members", headers=ana)).json()["members"]
        (source,) = (one["source"] for one in members)
        assert (source["recordUri"], source["did"]) == (claim_uri(did(3)), did(3))
        assert source["recordCid"] is not None


def claim_uri(author: str) -> str:
    return f"at://{author}/{MEMBERSHIP}/mine"
