"""Deleted events, series and groups: page, API, calendar file and feeds respond alike, and reveal nothing about private
ones. A form of something that was deleted keeps what was typed.
"""

import pytest

from openmeet.domain.attendance import invitations
from openmeet.domain.events import actions as events
from openmeet.domain.groups import actions, queries
from openmeet.domain.groups.model import GroupSlug
from openmeet.domain.users.model import Caller
from tests.openmeet.events.event_forms import EVENT_FORM
from tests.openmeet.series.series_forms import SERIES_FORM, create_series
from tests.openmeet.site_under_test import event_by, h1_of, inputs_of, person, sign_up, site_on
from tests.openmeet.web.group_pages import NEW, create_group

SERIES = "The host deleted this series. The remaining dates have pages of their own."
GROUP = "The owner deleted this group. Its events stay with their hosts."


@pytest.fixture
async def site(make_database, clock):
    return site_on(await make_database("openmeet"), clock)


@pytest.fixture
async def ana(site):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        yield browser


def everywhere(path: str) -> list[str]:
    return [path, f"{path}.ics", f"{path}.atom", f"{path}.json", f"/api{path}"]


@pytest.mark.parametrize(("visibility", "status"), [("public", 410), ("unlisted", 404), ("private", 404)])
async def test_a_deleted_series_is_gone_everywhere_if_it_was_public(site, ana, visibility, status):
    path = await create_series(ana, visibility=visibility)
    assert (await ana.post(f"{path}/delete", data={"dates": "delete"})).status_code == 303
    async with site.browser() as anybody:
        for one in [*everywhere(path), f"/api{path}/dates", f"{path}/dates/2026-03-03T19:00:00"]:
            answer = await anybody.get(one)
            assert (one, answer.status_code) == (one, status)
            if status == 410 and one.startswith("/api"):
                assert answer.json()["detail"] == SERIES
            elif status == 410:
                assert SERIES in answer.text
            assert "Practice" not in answer.text
        assert (await ana.get(path)).status_code == 410
        assert (await ana.get(f"{path}/edit")).status_code == 410


@pytest.mark.parametrize(("visibility", "status"), [("public", 410), ("unlisted", 404), ("private", 404)])
async def test_a_deleted_group_is_gone_everywhere_if_it_was_public(site, ana, visibility, status):
    path = await create_group(ana, visibility=visibility)
    slug = GroupSlug(path.rpartition("/")[2])
    async with site.db.transaction() as tx:
        group = await queries.by_slug(tx, slug)
        assert group is not None
        await actions.delete(tx, Caller(group.owner_id, "Ana"), slug)
    async with site.browser() as anybody:
        for one in [*everywhere(path), f"{path}/events", f"/api{path}/events"]:
            answer = await anybody.get(one)
            assert (one, answer.status_code) == (one, status)
            if status == 410 and one.startswith("/api"):
                assert answer.json()["detail"] == GROUP
            elif status == 410:
                assert GROUP in answer.text
            assert "Chess club" not in answer.text
    gone = await ana.get(path)
    assert gone.status_code == 410
    assert "The owner deleted “Chess club”." in gone.text


@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_an_edit_of_a_deleted_event_becomes_the_form_of_a_new_one(site, ana, visibility):
    """Only for its hosts. For others, there is no such event."""
    form = inputs_of((await ana.get("/events/new")).text) | EVENT_FORM | {"visibility": visibility}
    path = (await ana.post("/events/new", data=form)).headers["location"]
    edit = inputs_of((await ana.get(f"{path}/edit")).text)
    assert (await ana.post(f"{path}/delete")).headers["location"] == "/my/events?which=hosting"
    late = await ana.post(f"{path}/edit", data=edit | {"title": "Chess"})
    assert late.status_code == 410
    assert "This event was deleted after you opened this form." in late.text
    assert inputs_of(late.text)["title"] == "Chess"
    made = await ana.post("/events/new", data=EVENT_FORM | inputs_of(late.text))
    assert h1_of((await ana.get(made.headers["location"])).text) == "Chess"
    async with site.browser() as other:
        await sign_up(other, "ben@example.org", "Ben")
        assert (await other.post(f"{path}/edit", data=edit)).status_code == 404


@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_an_edit_of_a_deleted_series_becomes_the_form_of_a_new_one(site, ana, visibility):
    path = await create_series(ana, visibility=visibility)
    edit = inputs_of((await ana.get(f"{path}/edit")).text)
    assert (await ana.post(f"{path}/delete", data={"dates": "delete"})).status_code == 303
    typed = edit | {
        "title": "Chess",
        "time_zone": SERIES_FORM["time_zone"],
        "repeats": "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU",
    }
    for step in ({}, {"scope": "all"}, {"preview": "yes"}):
        late = await ana.post(f"{path}/edit", data=typed | step)
        assert (step, late.status_code) == (step, 410)
        assert "This series was deleted after you opened this form." in late.text
        kept = inputs_of(late.text)
        assert (kept["title"], kept["repeats"]) == ("Chess", typed["repeats"])
    again = await ana.post("/events/new", data=SERIES_FORM | kept)
    assert h1_of((await ana.get(again.headers["location"])).text) == "Chess"
    async with site.browser() as other:
        await sign_up(other, "ben@example.org", "Ben")
        answer = await other.post(f"{path}/edit", data=edit)
        assert answer.status_code == (410 if visibility == "public" else 404)
        assert "Chess" not in answer.text


@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_an_edit_of_a_deleted_group_becomes_the_form_of_a_new_one(site, ana, visibility):
    path = await create_group(ana, visibility=visibility)
    edit = inputs_of((await ana.get(f"{path}/settings")).text)
    assert (await ana.post(f"{path}/delete", data={"name": "Chess club"})).status_code == 303
    late = await ana.post(f"{path}/settings", data=edit | {"name": "Go club"})
    assert late.status_code == 410
    assert "This group was deleted after you opened this form." in late.text
    assert inputs_of(late.text)["name"] == "Go club"
    again = await ana.post("/groups/new", data=NEW | inputs_of(late.text))
    assert h1_of((await ana.get(again.headers["location"])).text) == "Go club"
    async with site.browser() as other:
        await sign_up(other, "ben@example.org", "Ben")
        answer = await other.post(f"{path}/settings", data=edit | {"name": "Go club"})
        assert answer.status_code == (410 if visibility == "public" else 404)
        assert "Go club" not in answer.text


@pytest.mark.parametrize(("visibility", "before"), [("public", 200), ("private", 404)])
async def test_guests_of_a_deleted_event_read_which_it_was(site, ana, visibility, before):
    async with site.db.transaction() as tx:
        host = await person(tx, "Hanna Host")
        event = await event_by(tx, host, visibility=visibility)
    assert (await ana.get(f"/events/{event.slug}")).status_code == before
    async with site.db.transaction() as tx:
        await invitations.invite(tx, host, event.slug, "ana@example.org")
        await events.delete(tx, host, event.slug)
    gone = await ana.get(f"/events/{event.slug}")
    assert gone.status_code == 410
    assert "The host deleted “Board games”." in gone.text
