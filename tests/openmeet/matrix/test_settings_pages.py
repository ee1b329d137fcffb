"""Pages for the Matrix settings: hosts mirror a chat, and people decide about their own messages. Without a homeserver
these pages do not exist.
"""

import re

import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import matrix_people, mirroring
from openmeet.domain.chat.matrix_people import MatrixConsent
from openmeet.domain.chat.message_queries import by_ids
from openmeet.domain.chat.queries import shown
from tests.openmeet.chat.rooms import room_of, subject_of_event
from tests.openmeet.site_under_test import event_by, person, signed_in, site_on


@pytest.fixture(params=["https://matrix.example", ""])
async def site(request, make_sqlite, clock):
    names = {"matrix_url": request.param, "matrix_server_name": "matrix.example"} if request.param else {}
    return site_on(await make_sqlite("openmeet", clock=clock), clock, **names)


@pytest.fixture
async def chat(site):
    """Ana hosts a private event with a chat, and Ben goes."""
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        event = await event_by(tx, ana, title="Games", visibility="unlisted")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
    return ana, ben, room, f"/events/{event.slug}/chat/settings"


@pytest.mark.parametrize("site", ["https://matrix.example"], indirect=True)
async def test_a_host_mirrors_a_chat_and_stops_it(site, chat):
    ana, ben, room, path = chat
    async with signed_in(site, ben.user_id) as guest:
        assert "Matrix" not in (await guest.get(path)).text
        assert (await guest.post(f"{path}/matrix", data={"mirror": "on", "confirmed": "1"})).status_code == 403
    async with signed_in(site, ana.user_id) as host:
        assert "Add the chat to Matrix" in (await host.get(path)).text
        unconfirmed = await host.post(f"{path}/matrix", data={"mirror": "on"})
        assert unconfirmed.status_code == 422
        assert "Confirm that first." in unconfirmed.text
        assert (await host.post(f"{path}/matrix", data={"mirror": "on", "confirmed": "1"})).status_code == 303
        assert "Remove the chat from Matrix" in (await host.get(path)).text
        assert (await host.post(f"{path}/matrix", data={"mirror": "off"})).status_code == 303
    async with site.db.reader() as reader:
        status = await mirroring.status(reader, room.id)
    assert status is not None
    assert status.state == "ending"


@pytest.mark.parametrize("site", ["https://matrix.example"], indirect=True)
async def test_people_decide_about_their_messages_and_link_an_account(site, chat):
    _, ben, _, _ = chat
    async with signed_in(site, ben.user_id) as guest:
        assert "Your messages stay here" in (await guest.get("/settings")).text
        assert (await guest.post("/settings/matrix", data={"act": "pass_on"})).status_code == 303
        assert "what you write in those chats to Matrix, as “Ben”" in (await guest.get("/settings/matrix")).text
        async with site.db.reader() as reader:
            kept = await matrix_people.person(reader, ben.user_id)
        assert kept is not None
        assert kept.consent is MatrixConsent.NAME_AND_WORDS
        shown = (await guest.post("/settings/matrix", data={"act": "link"})).text
        (code,) = re.findall(r'<output class="secret">(\w+)</output>', shown)
        assert code not in (await guest.get("/settings/matrix")).text
        async with site.db.transaction() as tx:
            assert await matrix_people.link(tx, "@ben:elsewhere.example", code) == ben.user_id
        assert "@ben:elsewhere.example" in (await guest.get("/settings/matrix")).text
        await guest.post("/settings/matrix", data={"act": "invitations", "mode": "chosen"})
        assert 'value="chosen" checked' in (await guest.get("/settings/matrix")).text
        assert (await guest.post("/settings/matrix", data={"act": "unlink"})).status_code == 303
        assert "@ben:elsewhere.example" not in (await guest.get("/settings/matrix")).text
        await guest.post("/settings/matrix", data={"act": "keep_here"})
        assert "We’re deleting your earlier messages from Matrix" in (await guest.get("/settings/matrix")).text
        assert (await guest.post("/settings/matrix", data={"act": "nonsense"})).status_code == 404


@pytest.mark.parametrize("site", [""], indirect=True)
async def test_without_a_homeserver_there_are_no_matrix_pages(site, chat):
    ana, _, _, path = chat
    async with signed_in(site, ana.user_id) as host:
        assert "Matrix" not in (await host.get(path)).text
        assert (await host.post(f"{path}/matrix", data={"mirror": "on", "confirmed": "1"})).status_code == 404
        assert "Matrix" not in (await host.get("/settings")).text
        assert (await host.get("/settings/matrix")).status_code == 404
        assert (await host.post("/settings/matrix", data={"act": "pass_on"})).status_code == 404


@pytest.mark.parametrize("site", ["https://matrix.example"], indirect=True)
async def test_the_first_message_in_a_mirrored_chat_asks_for_consent(site, chat):
    """Not answering the question counts as no, and later forms do not ask again."""
    ana, ben, room, path = chat
    chat_path = path.removesuffix("/settings")
    async with site.db.transaction() as tx:
        await mirroring.switch_on(tx, ana, room.id, is_confirmed=True)
    async with signed_in(site, ben.user_id) as guest:
        form = (await guest.get(chat_path)).text
        assert "Others may keep copies" in form
        assert "Forward them as “Ben”" in form
        sent = await guest.post(chat_path, data={"submission": "1", "text": "Hello", "mirror": "keep_here"})
        assert sent.status_code == 303
        page = (await guest.get(chat_path)).text
        assert "data-asks" not in page
        assert "Only here" in page
        # The form is from a page that was opened earlier.
        await guest.post(chat_path, data={"submission": "2", "text": "Again", "mirror": "pass_on"})
    async with signed_in(site, ana.user_id) as host:
        await host.post(chat_path, data={"submission": "1", "text": "Welcome", "mirror": "pass_on"})
    async with site.db.reader() as reader:
        found = {who.user_id: await matrix_people.person(reader, who.user_id) for who in (ana, ben)}
        rows = await reader.fetch("select id from chat_messages where kind = 'text' order by number")
        stored = await by_ids(reader, [row["id"] for row in rows])
        marked = {one.message.body: one.is_only_here for one in await shown(reader, list(stored.values()), None)}
    assert found[ben.user_id].consent is MatrixConsent.NONE
    assert found[ana.user_id].consent is MatrixConsent.NAME_AND_WORDS
    assert marked == {"Hello": True, "Again": True, "Welcome": False}


@pytest.fixture
async def public_chat(site):
    """Ana hosts a public event with a mirrored chat that accepts guests, and Ben goes."""
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        event = await event_by(tx, ana, title="Open day")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
    return ana, ben, room, f"/events/{event.slug}/chat"


@pytest.mark.parametrize("site", ["https://matrix.example"], indirect=True)
async def test_a_host_allows_guests_invites_removes_and_bans_them(site, public_chat):
    ana, ben, _, chat = public_chat
    zoe = "@zoe:matrix.example"
    async with signed_in(site, ana.user_id) as host:
        assert "Guests from Matrix" not in (await host.get(f"{chat}/people")).text
        refused = await host.post(f"{chat}/guests", data={"act": "invite", "address": zoe})
        assert refused.status_code == 422
        assert "Allow guests from Matrix in the settings" in refused.text
        await host.post(f"{chat}/settings/matrix", data={"mirror": "on"})
        allowed = await host.post(f"{chat}/settings/matrix", data={"mirror": "on", "guests": "yes"})
        assert allowed.status_code == 303
        assert 'name="guests" value="yes" checked' in (await host.get(f"{chat}/settings")).text
        wrong = await host.post(f"{chat}/guests", data={"act": "invite", "address": "zoe@matrix.example"})
        assert wrong.status_code == 400
        assert 'value="zoe@matrix.example"' in wrong.text
        assert (await host.post(f"{chat}/guests", data={"act": "invite", "address": zoe})).status_code == 303
        shown = (await host.get(f"{chat}/people")).text
        assert zoe in shown
        assert "The invitation is on its way" in shown
    async with signed_in(site, ben.user_id) as guest:
        shown = (await guest.get(f"{chat}/people")).text
        assert zoe in shown
        assert f"Remove {zoe}" not in shown
        assert (await guest.post(f"{chat}/guests", data={"act": "ban", "address": zoe})).status_code == 403
    async with signed_in(site, ana.user_id) as host:
        await host.post(f"{chat}/guests", data={"act": "ban", "address": zoe, "reason": "Rude"})
        assert "Banned" in (await host.get(f"{chat}/people")).text
        assert f"{zoe}: Rude" in (await host.get(f"{chat}/moderation")).text
    async with signed_in(site, ben.user_id) as guest:
        assert zoe not in (await guest.get(f"{chat}/people")).text


@pytest.mark.parametrize("site", ["https://matrix.example"], indirect=True)
async def test_chats_that_are_not_public_have_no_guests(site, chat):
    ana, _, _, path = chat
    async with signed_in(site, ana.user_id) as host:
        assert 'name="guests"' not in (await host.get(path)).text
        data = {"mirror": "on", "confirmed": "1", "guests": "yes"}
        refused = await host.post(f"{path}/matrix", data=data)
        assert refused.status_code == 422


@pytest.mark.parametrize("site", ["https://matrix.example"], indirect=True)
async def test_people_select_the_chats_that_invite_their_account(site, public_chat):
    _, ben, room, _ = public_chat
    async with site.db.transaction() as tx:
        await tx.execute("update chat_rooms set matrix_state = 'on' where id = :id", id=room.id)
        code, _ = await matrix_people.new_link_code(tx, ben)
        await matrix_people.link(tx, "@ben:matrix.example", code)
    tick, shown = f"room-{room.id}", {f"shown-{room.id}": "1"}
    async with signed_in(site, ben.user_id) as guest:
        assert f'name="{tick}" value="yes" checked' in (await guest.get("/settings/matrix")).text
        await guest.post("/settings/matrix", data={"act": "invitations", "mode": "all", **shown})
        page = (await guest.get("/settings/matrix")).text
        assert f'name="{tick}" value="yes">' in page
        await guest.post("/settings/matrix", data={"act": "invitations", "mode": "chosen", **shown, tick: "yes"})
        assert f'name="{tick}" value="yes" checked' in (await guest.get("/settings/matrix")).text
        await guest.post("/settings/matrix", data={"act": "invitations", "mode": "none", **shown, tick: "yes"})
        assert f'name="{tick}" value="yes">' in (await guest.get("/settings/matrix")).text
