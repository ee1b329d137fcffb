"""One's own records: written at one's server and nowhere else, and waiting to come back until the firehose has brought them."""

import re

import pytest

from openmeet.publication import own_repository
from openmeet.records.collections import EVENT
from tests.openmeet.sign_in.doorway import Door, door_to
from tests.openmeet.site_under_test import inputs_of
from tests.openmeet.town import Town

HERE = "/me/atproto"
TYPED = {
    "name": "Tea in the park",
    "description": "Bring a cup.",
    "starts": "2026-07-04T18:00",
    "ends": "2026-07-04T20:00",
}


@pytest.fixture
async def door(town: Town) -> Door:
    return door_to(town, town.db)


async def titles(door: Door) -> list[str]:
    async with door.db.reader() as reader:
        return [row["title"] for row in await reader.fetch("select title from events where removed_at is null")]


async def test_records_are_written_there_and_come_back(door: Door):
    """Create, change and delete touch the repository alone; the page says what has not come back; foreign fields stay."""
    town = door.town
    await town.account("ana")
    async with door.browser() as browser:
        await door.let_in(browser, "ana")
        ana = await door.identity("ana")
        assert "None so far" in (await browser.get(HERE)).text
        form = inputs_of((await browser.get(f"{HERE}/new")).text)
        for _ in range(2):  # sent twice, written once
            done = await browser.post(f"{HERE}/new", data={**form, **TYPED})
            assert (done.status_code, done.headers["location"]) == (303, HERE)
        page = (await browser.get(HERE)).text
        assert (page.count("Tea in the park"), "waiting to come back" in page) == (2, True)  # the line, and its button
        assert await titles(door) == []
        await town.listen(ana.user_id)
        page = (await browser.get(HERE)).text
        assert ("waiting to come back" in page, "/events/tea-in-the-park" in page) == (False, True)
        assert await titles(door) == ["Tea in the park"]

        (rkey,) = set(re.findall(rf'{HERE}/([a-z2-7]{{13}})"', page))
        stranger = await town.stranger("ana")
        uri = {"repo": ana.did, "collection": EVENT, "rkey": rkey}
        held = await stranger.query("com.atproto.repo.getRecord", uri)
        assert isinstance(held["value"], dict)
        theirs = {**held["value"], "org.example.mood": "calm"}
        await stranger.procedure("com.atproto.repo.putRecord", {**uri, "record": theirs})
        shown = inputs_of((await browser.get(f"{HERE}/{rkey}")).text)
        assert (shown["name"], shown["starts"]) == (TYPED["name"], TYPED["starts"])
        await browser.post(f"{HERE}/{rkey}", data={**TYPED, "name": "Coffee in the park"})
        held = await stranger.query("com.atproto.repo.getRecord", uri)
        assert isinstance(held["value"], dict)
        assert (held["value"]["name"], held["value"]["org.example.mood"]) == ("Coffee in the park", "calm")
        assert await titles(door) == ["Tea in the park"]
        assert "waiting to come back" in (await browser.get(HERE)).text
        await town.listen(ana.user_id)
        assert await titles(door) == ["Coffee in the park"]

        assert (await browser.post(f"{HERE}/{rkey}/delete")).status_code == 303
        assert "deleted there, waiting to come back" in (await browser.get(HERE)).text
        assert await titles(door) == ["Coffee in the park"]
        await town.listen(ana.user_id)
        assert "None so far" in (await browser.get(HERE)).text
        assert await titles(door) == []


async def test_what_cannot_be_written_keeps_what_was_typed(door: Door):
    """Wrong times are said beside their field, an allowance that is missing leads to where it is given."""
    await door.town.account("ana")
    async with door.browser() as browser:
        await door.let_in(browser, "ana", without=f"repo:{EVENT}")
        wrong = await browser.post(f"{HERE}/new", data={**TYPED, "ends": "2026-07-04T17:00"})
        assert (wrong.status_code, "It ends after it starts" in wrong.text, "Bring a cup." in wrong.text) == (
            400,
            True,
            True,
        )
        refused = await browser.post(f"{HERE}/new", data=TYPED)
        assert (refused.status_code, refused.headers["location"]) == (303, "/settings/identity")
        assert (await browser.get(f"{HERE}/nothing")).status_code == 404
    records = await own_repository.list_own(door.db, door.network, await door.identity("ana"))
    assert records == []
