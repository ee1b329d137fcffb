"""The picture of a chat in the list: that of its event, series or group, or the portrait of the other person in a
direct chat.
"""

import re

import pytest

from groundwork.clock import HandClock
from openmeet.domain.chat.model import RoomKind, RoomSubject, SubjectKind
from openmeet.domain.groups import actions as groups
from openmeet.domain.media.pictures import Picture, PictureKey
from openmeet.domain.profiles import portraits
from openmeet.domain.safety import actions as safety
from tests.databases import MakeDatabase
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import Site, event_by, person, signed_in, site_on

GROUP, ANA, BEN = ("a" * 32, PictureKey("b" * 32), PictureKey("c" * 32))


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet", clock=clock), clock)


async def row_of(site: Site, who, title: str, **headers: str) -> str:
    """The entry of a chat in the list."""
    async with signed_in(site, who.user_id) as browser:
        page = (await browser.get("/chat", headers=headers)).text
    rows = re.findall(r'<li><a class="room-row".*?</li>', page, re.DOTALL)
    (found,) = [row for row in rows if title in row]
    return found


async def test_a_group_has_its_picture_or_an_initial(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        bare, seen = await group_by(tx, ana, name="Chess club"), await group_by(tx, ana, name="Bakers")
        await groups.set_picture(tx, ana, seen.slug, Picture(GROUP, "Bread", 800, 600))
        for group in (bare, seen):
            room = await room_of(tx, ana, RoomSubject(SubjectKind.GROUP, group.id), RoomKind.CHANNEL)
            await send_text(tx, ana, room)
    assert f'<img class="avatar large square" src="/media/{GROUP}/small-square"' in await row_of(site, ana, "Bakers")
    assert re.search(r'class="avatar large square tone-\d"[^>]*>C<', await row_of(site, ana, "Chess club"))
    assert "/media/" not in await row_of(site, ana, "Bakers", **{"save-data": "on"})
    async with signed_in(site, ana.user_id) as browser:
        head = (await browser.get(f"/groups/{seen.slug}/chat/general")).text.split('<header class="talk-head">')[1]
    assert f'src="/media/{GROUP}/thumbnail"' in head.split("</header>")[0]


async def test_a_direct_chat_has_the_face_of_the_other_person(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        event = await event_by(tx, ana)
        await portraits.put(tx, ana.user_id, ANA)
        await portraits.put(tx, ben.user_id, BEN)
        room = await room_of(tx, ben, subject_of_event(event), RoomKind.DIRECT, with_user_id=ben.user_id)
        await send_text(tx, ben, room, "Is there a lift?")
    assert f'src="/portraits/{BEN}/48"' in await row_of(site, ana, "Board games")
    assert f'src="/portraits/{ANA}/48"' in await row_of(site, ben, "Board games")
    async with signed_in(site, ana.user_id) as browser:
        head = (await browser.get(f"/chat/direct/event/{event.slug}?with={ben.user_id}")).text
    assert f'src="/portraits/{BEN}/48"' in head.split('<header class="talk-head">')[1].split("</header>")[0]
    # If the viewer can no longer see the picture, an initial is shown.
    async with site.db.transaction() as tx:
        await safety.block(tx, ben, ana.user_id)
    row = await row_of(site, ana, "Board games")
    assert "/portraits/" not in row
    assert re.search(r'class="avatar large tone-\d"[^>]*>B<', row)


async def test_a_chat_with_group_hosts_shows_the_asker_to_hosts_only(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        group = await group_by(tx, ana)
        await groups.join(tx, ben, group.slug)
        await portraits.put(tx, ana.user_id, ANA)
        await portraits.put(tx, ben.user_id, BEN)
        subject = RoomSubject(SubjectKind.GROUP, group.id)
        await send_text(tx, ben, await room_of(tx, ben, subject, RoomKind.DIRECT, with_user_id=ben.user_id))
    assert "/portraits/" not in await row_of(site, ben, "Chess club")
    assert f'src="/portraits/{BEN}/48"' in await row_of(site, ana, "Chess club")
