"""Pictures of groups: uploaded by people who run the group, shown to people who can see the group, and kept as long as
the group uses them.
"""

import pytest

from groundwork.blobstore.open_ import open_folder
from groundwork.clock import DAY
from groundwork.database.transaction import CheckViolated
from groundwork.errors import NotFound
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import queries
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import Picture, Size, blob_key
from openmeet.domain.users.model import Caller
from tests.openmeet.groups.people import group_by
from tests.openmeet.media.drawn_pictures import draw_picture
from tests.openmeet.site_under_test import person, sign_up, site_on
from tests.worker_pool import WORKERS


@pytest.fixture
def store(tmp_path):
    return open_folder(tmp_path / "media")


async def test_a_picture_is_kept_as_long_as_the_group_shows_it(make_database, store, clock):
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
    key, made = await uploads.store_picture(db, store, WORKERS, ana.user_id, draw_picture())
    shown = Picture(key, "Red", made.width, made.height)
    async with db.transaction() as tx:
        saved = await groups.set_picture(tx, ana, group.slug, shown)
        again = await groups.set_picture(tx, ana, group.slug, shown)
    assert saved.revision == group.revision + 1 == again.revision
    async with db.reader() as reader:
        kept = await queries.by_slug(reader, group.slug)
    assert kept is not None
    assert kept.picture == shown
    clock.turn(uploads.UNUSED_FOR + DAY)
    assert await uploads.forget_unused(db, store) == 0
    async with db.transaction() as tx:
        await groups.delete(tx, ana, group.slug)
    assert await uploads.forget_unused(db, store) == 1
    with pytest.raises(NotFound):
        await store.size(blob_key(key, Size.SMALL))


async def test_a_picture_needs_an_alternative_text(make_database):
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        group = await group_by(tx, await person(tx, "Ana"))
    with pytest.raises(CheckViolated):
        async with db.transaction() as tx:
            await tx.execute("update groups set picture_key = 'k', picture_width = 1, picture_height = 1")
    async with db.reader() as reader:
        assert await queries.by_slug(reader, group.slug) == group


async def test_an_owner_sets_the_picture_of_a_group_on_a_page(make_sqlite, store, clock):
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store)
    async with site.browser() as ana, site.browser() as eve:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(eve, "eve@example.org", "Eve")
        async with site.db.transaction() as tx:
            (row,) = await tx.fetch("select id from users where display_name = 'Ana'")
            group = await group_by(tx, Caller(row["id"], "Ana"))
            secret = await group_by(tx, Caller(row["id"], "Ana"), name="Secret", visibility="private")
        path = f"/groups/{group.slug}/picture"
        file = {"picture": ("a.png", draw_picture(size=(700, 500)), "image/png")}
        assert path in (await ana.get(f"/groups/{group.slug}/settings")).text
        assert (await ana.get(path)).status_code == 200
        assert (await eve.post(path, files=file, data={"alt": "Red"})).status_code == 403
        assert (await eve.post(f"/groups/{secret.slug}/picture", files=file, data={"alt": "Red"})).status_code == 404
        none = await ana.post(path, files={"picture": ("", b"", "")}, data={"alt": "Words alone"})
        assert (none.status_code, "Words alone" in none.text) == (400, True)
        wrong = await ana.post(path, files={"picture": ("a.png", b"nonsense", "image/png")}, data={"alt": "Red <b>"})
        assert (wrong.status_code, "Red &lt;b&gt;" in wrong.text) == (400, True)
        assert (await ana.post(path, files=file, data={"alt": "A red square"})).status_code == 303
        page = (await eve.get(f"/groups/{group.slug}")).text
        assert 'alt="A red square"' in page
        assert 'property="og:image" content="http' in page
        assert 'alt="A red square"' in (await eve.get("/groups")).text
        other = await ana.post(path, files={"picture": ("", b"", "")}, data={"alt": "Other words"})
        assert other.status_code == 303
        assert 'alt="Other words"' in (await eve.get(f"/groups/{group.slug}")).text
        assert (await eve.post(f"{path}/remove")).status_code == 403
        assert (await ana.post(f"{path}/remove")).status_code == 303
        assert "event-picture" not in (await eve.get(f"/groups/{group.slug}")).text


async def test_a_picture_from_another_app_can_be_removed_on_the_page(make_sqlite, store, clock):
    """The picture is in the group's record but not stored on this site. The page says so and offers to remove it."""
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store)
    async with site.browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        async with site.db.transaction() as tx:
            (row,) = await tx.fetch("select id from users where display_name = 'Ana'")
            group = await group_by(tx, Caller(row["id"], "Ana"))
            await tx.execute("update groups set record_avatar = 'bafy' where id = :id", id=group.id)
        path = f"/groups/{group.slug}/picture"
        form = (await ana.get(path)).text
        assert f'action="{path}/remove"' in form
        assert "Another app added" in form
        assert (await ana.post(f"{path}/remove")).status_code == 303
        assert f'action="{path}/remove"' not in (await ana.get(path)).text
    async with site.db.reader() as reader:
        after = await queries.by_slug(reader, group.slug)
    assert after is not None
    assert (after.network.avatar_cid, after.revision) == (None, group.revision + 1)
