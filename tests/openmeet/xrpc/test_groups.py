"""XRPC queries for groups and their events, for strangers and for members."""

from openmeet.domain.events import actions as events
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import record_queries
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import ORIGIN, details, person
from tests.openmeet.xrpc.query_client import all_items, body_of, error_of

RECORD = "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/openmeet.lexicon.group/3mqdau33ozs2n"
CID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"


async def test_strangers_and_members_see_a_group_and_its_events(site, client, people):
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, name="Chess club", description="We play.")
        bo = await add_member(tx, group, ana, "Bo")
        for number in range(1, 4):
            day = {"starts": f"2026-07-0{number}T18:00", "ends": ""}
            await events.create(tx, ana, details(title=f"open {number}", **day), group=as_group_of_event(group))
        inner = details(title="inner", visibility="private", starts="2026-07-02T19:00", ends="")
        await events.create(tx, ana, inner, group=as_group_of_event(group))
        of_bo = await people.connect(tx, bo)
    page = f"{ORIGIN}/groups/{group.slug}"
    found = (await body_of(client, "getGroup", uri=page))["group"]
    assert (found["name"], found["description"], found["members"]) == ("Chess club", "We play.", 2)
    assert "role" not in found
    assert (await body_of(client, "getGroup", uri=page, token=people.token(of_bo, "getGroup")))["group"][
        "role"
    ] == "member"
    shown = await all_items(client, "listGroupEvents", "events", group=page, limit=2)
    assert [one["title"] for one in shown] == ["open 1", "open 2", "open 3"]
    assert shown[0]["group"] == {"url": page, "slug": group.slug, "name": "Chess club"}
    inside = await body_of(client, "listGroupEvents", group=page, token=people.token(of_bo, "listGroupEvents"))
    assert [one["title"] for one in inside["events"]] == ["open 1", "open 2", "inner", "open 3"]
    assert await error_of(client, "listGroupEvents", group=page, cursor="made-up") == (400, "InvalidCursor")


async def test_former_slugs_and_its_record_lead_to_the_group(site, client):
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        await groups.choose_address(tx, ana, group.slug, "the-chess-club")
        await events.create(tx, ana, details(), group=as_group_of_event(group))
        await record_queries.set_record(tx, group.id, RECORD, CID)
    found = (await body_of(client, "getGroup", uri=f"{ORIGIN}/groups/{group.slug}"))["group"]
    assert (found["url"], found["uri"]) == (f"{ORIGIN}/groups/the-chess-club", RECORD)
    assert (await body_of(client, "getGroup", uri=RECORD))["group"] == found
    (event,) = (await body_of(client, "listGroupEvents", group=RECORD))["events"]
    assert event["group"]["uri"] == RECORD


async def test_private_and_absent_groups_look_the_same(site, client, people):
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, visibility="private")
        of_ana, of_bo = await people.connect(tx, ana), await people.connect(tx, await person(tx, "Bo"))
    page = f"{ORIGIN}/groups/{group.slug}"
    for name, parameter in (("getGroup", "uri"), ("listGroupEvents", "group")):
        assert await error_of(client, name, **{parameter: page}) == (400, "GroupNotFound")
        assert await error_of(client, name, **{parameter: page + "x"}) == (400, "GroupNotFound")
        token = people.token(of_bo, name)
        assert await error_of(client, name, **{parameter: page}, token=token) == (400, "GroupNotFound")
        await body_of(client, name, **{parameter: page}, token=people.token(of_ana, name))
