"""A person's export includes data attached to events and searches, and the URLs of its pictures."""

import json
from dataclasses import replace

import pytest

from groundwork.blobstore.open_ import open_folder
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.registration import ListAudience, RegistrationQuestion, RegistrationSettings
from openmeet.domain.data_export.person import export_document, import_document
from openmeet.domain.events import actions
from openmeet.domain.events import queries as events
from openmeet.domain.events.content import Content
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import GroupDetails
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import Picture
from openmeet.domain.saved_searches import actions as saved_searches
from openmeet.domain.saved_searches import queries as saved_search_queries
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import date_queries
from openmeet.domain.series import queries as series_queries
from tests.openmeet.media.drawn_pictures import draw_picture
from tests.openmeet.series.practice import weekly
from tests.openmeet.site_under_test import event_by, person
from tests.worker_pool import WORKERS

STRICT = RegistrationSettings(
    limit_in_person=4,
    needs_approval=True,
    closes_hours_before=24,
    max_party=2,
    asks_names=True,
    is_members_only=True,
    list_audience=ListAudience.HOSTS,
    takes_guests=False,
    questions=(RegistrationQuestion("q1", "Which instrument?", ("Viola", "Bass"), is_required=True),),
)


@pytest.fixture
async def db(make_database, clock):
    return await make_database("openmeet", clock=clock)


@pytest.fixture
async def other_db(make_database, clock):
    return await make_database("openmeet", clock=clock)


async def exported(db, who):
    return json.loads(json.dumps(await export_document(db, who.user_id, "https://m.example")))


async def test_registration_settings_are_exported(db, other_db):
    """An event or a series that needed approval still needs it, and names of attendees that only hosts could see stay
    hidden.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Tea")
        series = await series_actions.create(tx, ana, Content("Practice"), weekly())
        await registration.put(tx, event.id, STRICT)
        await registration.put(tx, series.id, replace(STRICT, max_party=3))
    found = await exported(db, ana)
    for _ in range(2):
        taken, left = await import_document(other_db, found)
        assert (taken["registration_settings"], left["registration_settings"]) == (2, 0)
    async with other_db.reader() as reader:
        tea = await events.by_slug(reader, event.slug)
        assert await registration.settings_of(reader, tea) == replace(STRICT, revision=1)
        date = await events.by_id(reader, await date_queries.any_date(reader, series.id))
        assert (await registration.settings_of(reader, date)).max_party == 3


async def test_registration_settings_of_other_hosts_are_not_exported(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        hers, his = await event_by(tx, ana), await event_by(tx, ben)
        await registration.put(tx, hers.id, STRICT)
    found = await exported(db, ana)
    found["tables"]["joiningSettings"][0]["subjectId"] = his.id
    taken, left = await import_document(db, found)
    assert (taken["registration_settings"], left["registration_settings"]) == (0, 1)
    async with db.reader() as reader:
        assert await registration.own_settings_of(reader, his.id) is None


async def test_saved_searches_are_exported_with_their_filters(db, other_db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await saved_searches.save(tx, ana, {"q": "chess", "tag": "blitz"})
    found = await exported(db, ana)
    taken, left = await import_document(other_db, found)
    assert taken["saved_search_keys"] == len(found["tables"]["savedSearchKeys"]) > 0
    assert left["saved_search_keys"] == 0
    async with other_db.reader() as reader:
        assert len(await saved_search_queries.of_person(reader, ana.user_id)) == 1


async def test_pictures_are_exported_as_urls(db, other_db, tmp_path):
    """Events imported on another site do not refer to missing pictures. Events imported on the same site keep their
    pictures.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Tea")
        group = await groups.create(tx, ana, GroupDetails(name="Choir", time_zone="UTC"))
    key, made = await uploads.store_picture(db, open_folder(tmp_path / "media"), WORKERS, ana.user_id, draw_picture())
    shown = Picture(key, "Red", made.width, made.height)
    async with db.transaction() as tx:
        await actions.set_picture(tx, ana, event.slug, shown)
        await groups.set_picture(tx, ana, group.slug, shown)
        series = await series_actions.create(tx, ana, Content("Practice", picture=shown), weekly())
    found = await exported(db, ana)
    assert [one["url"] for one in found["tables"]["pictures"]] == [f"https://m.example/media/{key}/large"]
    with_picture = [one for one in found["tables"]["events"] if one["pictureKey"]]
    taken, left = await import_document(other_db, found)
    assert left["pictures"] == len(with_picture) + 2
    assert taken["events"] == len(found["tables"]["events"])
    async with other_db.reader() as reader:
        assert (await events.by_slug(reader, event.slug)).content.picture is None
        assert (await series_queries.by_id(reader, series.id)).content.picture is None
        row = await reader.fetch_one("select picture_key, picture_alt from groups where id = :id", id=group.id)
        assert (row["picture_key"], row["picture_alt"]) == (None, None)
        assert await reader.fetch("select id from events where picture_key is not null") == []
    assert (await import_document(db, found))[1]["pictures"] == 0
    async with db.reader() as reader:
        assert (await events.by_slug(reader, event.slug)).content.picture == shown
