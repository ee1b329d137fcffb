"""XRPC queries for events: one event, by time, by place, by words, by repository; and the data that strangers may see."""

from dataclasses import replace

from openmeet.domain.events import actions as events
from openmeet.domain.events import event_records, queries
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.search.my_event_lists import UNDATED, EventCursor
from openmeet.domain.search.repository_events import of_repository
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import ORIGIN, details, event_by, person
from tests.openmeet.web.query_plans import ExplainingReader, insert_copies
from tests.openmeet.xrpc.query_client import all_items, body_of, error_of

DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
CID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"


async def with_record(tx, event, rkey="3mqdau33ozs2n", did=DID):
    uri = f"at://{did}/community.lexicon.calendar.event/{rkey}"
    await event_records.set_record(tx, event.id, uri, CID, did)
    return uri


def titles(found):
    return [one["title"] for one in found]


async def test_an_event_is_found_by_its_page_and_by_its_record(site, client):
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Tea & cake", point="52.52, 13.405", country="DE")
        uri = await with_record(tx, event)
    by_page = await body_of(client, "getEvent", uri=f"{ORIGIN}/events/{event.slug}?from=mail#answers")
    by_record = await body_of(client, "getEvent", uri=uri)
    assert by_page == by_record
    found = by_page["event"]
    assert (found["uri"], found["cid"], found["did"]) == (uri, CID, DID)
    assert (found["title"], found["hostName"], found["visibility"]) == ("Tea & cake", "Ana", "public")
    assert (found["startsAt"], found["startsLocal"]) == ("2026-07-04T16:00:00Z", "2026-07-04T18:00:00")
    assert found["status"] == "community.lexicon.calendar.event#scheduled"
    assert found["mode"] == "community.lexicon.calendar.event#inperson"
    assert (found["place"]["locality"], found["place"]["latitude"]) == ("Berlin", "52.52")
    assert "viewer" not in found


async def test_other_uris_find_nothing(site, client):
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"))
    for address in (
        f"{ORIGIN}/events/nothing-there",
        f"at://{DID}/community.lexicon.calendar.event/3mqdau33ozs22",
        "at://not-an-at-uri",
        f"https://elsewhere.example/events/{event.slug}",
        f"{ORIGIN}/events/{event.slug}/edit",
        f"{ORIGIN}/groups/{event.slug}",
        "https://[broken",
    ):
        assert await error_of(client, "getEvent", uri=address) == (400, "EventNotFound"), address
    assert await error_of(client, "getEvent", uri="no address") == (400, "InvalidRequest")
    assert await error_of(client, "getEvent") == (400, "InvalidRequest")


async def test_strangers_cannot_tell_private_events_from_absent_ones(site, client):
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), visibility="private")
        uri = await with_record(tx, event)
    assert await error_of(client, "getEvent", uri=uri) == (400, "EventNotFound")
    assert await error_of(client, "getEvent", uri=f"{ORIGIN}/events/{event.slug}") == (400, "EventNotFound")
    assert (await body_of(client, "listActorEvents", actor=DID))["events"] == []


async def test_restricted_details_are_left_out(site, client):
    """Only attendees get the exact address, the link for joining and the entrance note."""
    async with site.db.transaction() as tx:
        event = await event_by(
            tx,
            await person(tx, "Ana"),
            mode="hybrid",
            street="Secret street 1",
            online_url="https://join.example/secret",
            door_note="secret door",
            place_audience="attendees",
        )
    found = (await body_of(client, "getEvent", uri=f"{ORIGIN}/events/{event.slug}"))["event"]
    assert found["place"] == {"locality": "Berlin"}
    assert "joinUrl" not in found
    assert "secret" not in str(found).lower()


async def test_events_by_time(site, client):
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        for day in ("02-01", "04-01", "05-01", "06-01"):
            await event_by(tx, ana, title=day, starts=f"2026-{day}T18:00", ends=f"2026-{day}T19:00")
    assert titles((await body_of(client, "listEvents"))["events"]) == ["04-01", "05-01", "06-01"]
    # 18:00 in Berlin. Instants are compared to the second.
    found = await body_of(client, "listEvents", since="2026-04-01T18:00:00+02:00", until="2026-05-01T16:00:00Z")
    assert titles(found["events"]) == ["04-01"]
    found = await body_of(client, "listEvents", since="2026-04-01T16:00:01Z", until="2026-05-01T16:00:01Z")
    assert titles(found["events"]) == ["05-01"]
    assert titles((await body_of(client, "listEvents", since="2026-01-01T00:00:00Z"))["events"])[0] == "02-01"


async def test_events_by_place_words_and_topics(site, client):
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, title="Jazz here", point="52.52, 13.405", categories="music", tags="swing")
        await event_by(tx, ana, title="Jazz there", point="48.21, 16.37")
    near = {"latitude": "52.39", "longitude": "13.06"}
    assert titles((await body_of(client, "listEvents", **near))["events"]) == []
    assert titles((await body_of(client, "listEvents", **near, within=40))["events"]) == ["Jazz here"]
    assert len((await body_of(client, "listEvents", q="jazz"))["events"]) == 2
    assert titles((await body_of(client, "listEvents", category="music"))["events"]) == ["Jazz here"]
    assert titles((await body_of(client, "listEvents", tag="Swing", q="jazz"))["events"]) == ["Jazz here"]
    assert (await body_of(client, "listEvents", source="atproto"))["events"] == []


async def test_invalid_parameters_are_refused(client):
    for parameters in (
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "abc"},
        {"limit": "1.0"},
        {"limit": ["1", "2"]},
        {"since": "yesterday"},
        {"latitude": "91", "longitude": "0"},
        {"latitude": "52.5"},
        {"longitude": "NaN", "latitude": "0"},
        {"within": "501", "latitude": "0", "longitude": "0"},
        {"category": "nonsense"},
        {"source": "nonsense"},
        {"tag": "#"},
        {"q": "x" * 201},
    ):
        assert await error_of(client, "listEvents", **parameters) == (400, "InvalidRequest"), parameters


async def test_forged_cursors_are_refused(client):
    for cursor in ("made-up", "MTIz", "x" * 400, "LTE", "é"):
        assert await error_of(client, "listEvents", cursor=cursor) == (400, "InvalidCursor")
        assert await error_of(client, "listActorEvents", actor=DID, cursor=cursor) == (400, "InvalidCursor")


async def test_pages_are_stable_while_events_are_added_and_removed(site, client):
    """If events are added before the cursor or removed after it, the remaining events are returned once, in order."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        made = [
            await event_by(tx, ana, title=f"{number}", starts=f"2026-07-0{number}T18:00", ends="")
            for number in range(1, 8)
        ]
    first = await body_of(client, "listEvents", limit=3)
    async with site.db.transaction() as tx:
        await event_by(tx, ana, title="earlier", starts="2026-06-01T18:00", ends="")
        await event_by(tx, ana, title="later", starts="2026-07-05T19:00", ends="")
        await events.delete(tx, ana, made[2].slug)
        await events.delete(tx, ana, made[5].slug)
    second = await body_of(client, "listEvents", limit=3, cursor=first["cursor"])
    third = await body_of(client, "listEvents", limit=3, cursor=second["cursor"])
    assert titles(first["events"] + second["events"] + third["events"]) == ["1", "2", "3", "4", "5", "later", "7"]
    assert "cursor" not in third


async def test_events_of_a_repository(site, client):
    """The list has past and coming events by start, with undated ones last. It can be read in reverse, and page by
    page.
    """
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        for number, day in enumerate(("05-01", "02-01", "04-01")):
            event = await event_by(tx, ana, title=day, starts=f"2026-{day}T18:00", ends="")
            await with_record(tx, event, f"3mqdau33ozs2{number + 2}")
        undated = await event_by(tx, ana, title="some day")
        await with_record(tx, undated, "3mqdau33ozs2z")
        found = await queries.by_id(tx, undated.id)
        await queries.update(tx, replace(found, starts_at=None, ends_at=None, starts_local=""), search_text="some day")
        other = await event_by(tx, ana, title="other's")
        await with_record(tx, other, did="did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
    everything = ["02-01", "04-01", "05-01", "some day"]
    for limit in (1, 2, 4):
        assert titles(await all_items(client, "listActorEvents", "events", actor=DID, limit=limit)) == everything
        backwards = await all_items(client, "listActorEvents", "events", actor=DID, limit=limit, reverse="true")
        assert titles(backwards) == everything[::-1]
    found = await body_of(
        client, "listActorEvents", actor=DID, since="2026-04-01T00:00:00Z", until="2026-05-01T00:00:00Z"
    )
    assert titles(found["events"]) == ["04-01"]
    assert await error_of(client, "listActorEvents", actor="ana.test") == (400, "InvalidRequest")
    assert await error_of(client, "listActorEvents") == (400, "InvalidRequest")


async def test_a_large_repository_is_read_by_its_index(site):
    """The list can be read in both directions and from any cursor. Bitmap scans are disabled, because for a handful of
    rows PostgreSQL would prefer one and sort.
    """
    async with site.db.transaction() as tx:
        await insert_copies(tx)
        await tx.execute("update events set record_did = :did where slug like '%7'", did=DID)
        await tx.execute("update events set starts_at = null where slug like '%77'")
        await tx.execute("analyze events")
        if tx.engine == "postgresql":
            await tx.execute("set local enable_bitmapscan = off")
        explaining = ExplainingReader(tx)
        for after in (None, EventCursor(tx.now, "a"), EventCursor(UNDATED, "a")):
            for is_reverse in (False, True):
                asked = {"viewer": None, "since": None, "until": None, "limit": 3, "is_reverse": is_reverse}
                await of_repository(explaining, DID, after=after, **asked)
    assert len(explaining.plans) >= 6
    for plan in explaining.plans:
        assert "events_of_repository_by_start" in plan, plan
        assert "TEMP B-TREE" not in plan, plan


async def test_members_find_the_events_of_their_groups(site, client, people):
    """Members find the events by repository and one by one. With another person's token the result is what a stranger
    sees.
    """
    async with site.db.transaction() as tx:
        ana, cem = await person(tx, "Ana"), await person(tx, "Cem")
        group = await group_by(tx, ana, visibility="private", name="Secret chess")
        bo = await add_member(tx, group, ana, "Bo")
        event = await events.create(tx, ana, details(title="For members"), group=as_group_of_event(group))
        uri = await with_record(tx, event)
        of_bo, of_cem = await people.connect(tx, bo), await people.connect(tx, cem)
    assert titles(
        (await body_of(client, "listActorEvents", actor=DID, token=people.token(of_bo, "listActorEvents")))["events"]
    ) == ["For members"]
    found = (await body_of(client, "getEvent", uri=uri, token=people.token(of_bo, "getEvent")))["event"]
    assert found["group"]["name"] == "Secret chess"
    assert found["viewer"] == {"isHost": False}
    assert (await body_of(client, "listActorEvents", actor=DID, token=people.token(of_cem, "listActorEvents")))[
        "events"
    ] == []
    assert await error_of(client, "getEvent", uri=uri, token=people.token(of_cem, "getEvent")) == (400, "EventNotFound")
    # Public lists are the same for them as for everybody.
    assert (await body_of(client, "listEvents", token=people.token(of_bo, "listEvents")))["events"] == []
