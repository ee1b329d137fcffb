"""The picture of a series: shown by the series and by its coming dates, except those with their own, and undone like
any edit.
"""

import re
from dataclasses import replace
from datetime import datetime

import pytest

from groundwork.blobstore.open_ import open_folder
from groundwork.clock import DAY, MINUTE
from groundwork.errors import Forbidden, NotFound, PreconditionFailed, Refused
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events.content import Content
from openmeet.domain.events.values import Visibility
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import Picture, Size, blob_key
from openmeet.domain.series import actions, apply_edits, queries, undo
from openmeet.domain.users.model import Caller
from tests.openmeet.media.drawn_pictures import draw_picture
from tests.openmeet.series.practice import create_weekly_series, dates, give_rsvp, kinds_received, lock_series, weekly
from tests.openmeet.site_under_test import person, sign_up, site_on
from tests.worker_pool import WORKERS

OLD, NEW, OWN = (Picture(letter * 32, f"Picture {letter}", 80, 60) for letter in "abc")


async def shown(reader, series):
    return [one.content.picture for one in await dates(reader, series)]


async def test_coming_dates_show_the_picture_unless_they_have_their_own(practice_db):
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, picture=OLD)
        ben = await person(tx, "Ben")
        stored = await dates(tx, series)
        await give_rsvp(tx, ben, stored[0])
        await event_actions.set_picture(tx, ana, stored[1].slug, OWN)
        after = await apply_edits.set_picture(tx, ana, series.slug, NEW, expected_revision=series.revision)
        assert after.content.picture == NEW
        assert after.revision == series.revision + 1
        assert await shown(tx, series) == [NEW, OWN] + [NEW] * (len(stored) - 2)
        # A new picture does not affect anybody's plans, so there is neither a notification nor an e-mail.
        assert await kinds_received(tx, ben) == []
        queued = await tx.fetch("select subject from outbox_jobs where subject like 'notification%'")
        assert [one for one in queued if ben.user_id in one["subject"]] == []
        assert (await apply_edits.set_picture(tx, ana, series.slug, NEW)).revision == after.revision, (
            "an unchanged picture creates no revision"
        )
        described = await apply_edits.describe_picture(tx, ana, series.slug, "A hall")
        assert described.content.picture == replace(NEW, alt="A hall")
        assert (await apply_edits.remove_picture(tx, ana, series.slug)).content.picture is None
        assert await shown(tx, series) == [None, OWN] + [None] * (len(stored) - 2)
        with pytest.raises(Refused):
            await apply_edits.describe_picture(tx, ana, series.slug, "Nothing")


async def test_a_new_picture_enqueues_the_records_of_the_series_and_its_dates(practice_db):
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, picture=OLD)
        before = await dates(tx, series)
        await apply_edits.set_picture(tx, ana, series.slug, NEW)
        assert [one.revision for one in await dates(tx, series)] == [one.revision + 1 for one in before]
        queued = await tx.fetch(
            "select subject_id, revision from publications where subject_id in :subjects",
            subjects=[series.id, before[0].id],
        )
        assert {(one["subject_id"], one["revision"]) for one in queued} == {
            (series.id, series.revision + 1),
            (before[0].id, before[0].revision + 1),
        }


async def test_a_new_picture_can_be_undone_and_the_old_file_is_kept_for_that(practice_db, tmp_path, clock):
    store = open_folder(tmp_path / "media")
    async with practice_db.transaction() as tx:
        ana = await person(tx, "Ana")
    key, made = await uploads.store_picture(practice_db, store, WORKERS, ana.user_id, draw_picture())
    first = Picture(key, "Red", made.width, made.height)
    clock.turn(uploads.UNUSED_FOR + DAY)
    async with practice_db.transaction() as tx:
        timing = weekly(start=datetime.fromisoformat("2027-03-02T18:00"))
        series = await actions.create(tx, ana, Content("Practice", picture=first), timing)
    async with practice_db.transaction() as tx:
        await apply_edits.remove_picture(tx, ana, series.slug)
    assert await uploads.forget_unused(practice_db, store) == 0
    async with practice_db.transaction() as tx:
        await undo.undo(tx, await lock_series(tx, ana, series))
        now = await queries.by_id(tx, series.id)
        assert now.content.picture == first
        assert set(await shown(tx, series)) == {first}
        await apply_edits.remove_picture(tx, ana, series.slug)
    assert await store.size(blob_key(key, Size.LARGE)) > 0
    clock.turn(11 * MINUTE)
    assert await uploads.forget_unused(practice_db, store) == 1


async def test_only_hosts_can_upload_a_picture(practice_db):
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        eve = await person(tx, "Eve")
        for who, wrong in ((eve, Forbidden), (ana, PreconditionFailed)):
            with pytest.raises(wrong):
                await apply_edits.set_picture(tx, who, series.slug, NEW, expected_revision=series.revision + 1)
        with pytest.raises(NotFound):
            await apply_edits.set_picture(tx, ana, "no-such-series", NEW)


async def test_a_host_sets_the_picture_of_a_series_on_a_page(make_sqlite, tmp_path, clock):
    site = site_on(await make_sqlite("openmeet"), clock, pictures=open_folder(tmp_path / "media"))
    async with site.browser() as ana, site.browser() as eve:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(eve, "eve@example.org", "Eve")
        async with site.db.transaction() as tx:
            (row,) = await tx.fetch("select id from users where display_name = 'Ana'")
            series = await actions.create(tx, Caller(row["id"], "Ana"), Content("Practice"), weekly())
        path = f"/series/{series.slug}/picture"
        file = {"picture": ("a.png", draw_picture(size=(700, 500)), "image/png")}
        assert (
            (await eve.get(path)).status_code
            == (await eve.post(path, files=file, data={"alt": "x"})).status_code
            == 403
        )
        assert "Picture…" in (await ana.get(f"/series/{series.slug}")).text
        assert "Every upcoming date shows it" in (await ana.get(path)).text
        none = await ana.post(path, files={"picture": ("", b"", "")}, data={"alt": "Red"})
        assert (none.status_code, 'id="picture-problem"' in none.text) == (400, True)
        unsaid = await ana.post(path, files=file, data={"alt": " "})
        assert (unsaid.status_code, 'id="alt-problem"' in unsaid.text) == (400, True)
        assert (await ana.post(path, files=file, data={"alt": "A red square"})).status_code == 303
        async with site.db.reader() as reader:
            event = (await dates(reader, series))[0]
        for address in (f"/series/{series.slug}", f"/events/{event.slug}"):
            assert 'alt="A red square"' in (await eve.get(address)).text
        other = await ana.post(path, files={"picture": ("", b"", "")}, data={"alt": "Other words"})
        assert other.status_code == 303
        assert 'alt="Other words"' in (await eve.get(f"/series/{series.slug}")).text
        assert (await ana.post(f"{path}/remove")).status_code == 303
        assert "event-picture" not in (await eve.get(f"/series/{series.slug}")).text


async def test_shared_links_show_the_picture_unless_it_is_private(make_sqlite, tmp_path, clock):
    site = site_on(await make_sqlite("openmeet"), clock, pictures=open_folder(tmp_path / "media"))
    async with site.browser() as ana, site.browser() as nobody:
        await sign_up(ana, "ana@example.org", "Ana")
        async with site.db.transaction() as tx:
            (row,) = await tx.fetch("select id from users where display_name = 'Ana'")
            host = Caller(row["id"], "Ana")
            series = await actions.create(tx, host, Content("Practice"), weekly())
            unlisted = await actions.create(tx, host, Content("Secret", visibility=Visibility.UNLISTED), weekly())
        drawn = re.compile(rf'<meta property="og:image" content="http://openmeet.test/series/{series.slug}/card.png')
        assert drawn.search((await nobody.get(f"/series/{series.slug}")).text)
        assert "og:" not in (await nobody.get(f"/series/{unlisted.slug}")).text
        for slug in (series.slug, unlisted.slug):
            file = {"picture": ("a.png", draw_picture(size=(700, 500)), "image/png")}
            put = await ana.post(f"/series/{slug}/picture", files=file, data={"alt": 'A "red" hall'})
            assert put.status_code == 303, put.text
        page = (await nobody.get(f"/series/{series.slug}")).text
        (image,) = re.findall(r'<meta property="og:image" content="http://openmeet.test([^"]*)">', page)
        assert not drawn.search(page)
        assert (await nobody.get(image)).headers["content-type"].startswith("image/")
        assert '<meta property="og:image:alt" content="A &#34;red&#34; hall">' in page
        assert f'<meta property="og:url" content="http://openmeet.test/series/{series.slug}">' in page
        assert "og:" not in (await nobody.get(f"/series/{unlisted.slug}")).text
