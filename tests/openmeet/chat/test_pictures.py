"""Pictures in messages: who can see them, when their files are deleted, and how forms and the API send them."""

import base64
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from PIL import Image

from groundwork.blobstore.contract import BlobStore
from groundwork.blobstore.open_ import open_folder
from groundwork.clock import DAY, HandClock
from groundwork.errors import InvalidForm, NotFound, TooLarge
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import messages, pictures, sanctions
from openmeet.domain.chat.deletion import forget_expired_messages
from openmeet.domain.chat.model import MAX_PICTURES, ChatMessage, NewPicture, Room, SentPictureKey
from openmeet.domain.chat.pictures import blob_key
from openmeet.domain.chat.sanctions import SanctionKind
from openmeet.domain.chat.search import ChatSearch, find_messages
from openmeet.domain.events.model import Event
from openmeet.domain.media.pictures import Size
from openmeet.domain.moderation.model import ReportReason
from openmeet.domain.users.model import Caller
from openmeet.emails.notifications import chats
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.site_under_test import CODE_KEY, Site, api_session, event_by, person, signed_in, site_on
from tests.worker_pool import WORKERS


def photo(kind: str = "JPEG", **more: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 60), "red").save(out, kind, **more)
    return out.getvalue()


@dataclass
class Chat:
    """Ana hosts, Ben is going, Cara is not. Each has a browser."""

    site: Site
    store: BlobStore
    clock: HandClock
    ana: Caller
    ben: Caller
    cara: Caller
    event: Event
    room: Room
    as_ana: httpx.AsyncClient
    as_ben: httpx.AsyncClient
    as_cara: httpx.AsyncClient

    @property
    def path(self) -> str:
        return f"/events/{self.event.slug}/chat"

    async def keep(self, who: Caller) -> SentPictureKey:
        return (await pictures.store_picture(self.site.db, self.store, WORKERS, who.user_id, photo())).key

    async def show(self, who: Caller, text: str = "", alt: str = "A red square") -> tuple[ChatMessage, str]:
        """Send a picture, and return the message and the picture's URL."""
        key = await self.keep(who)
        async with self.site.db.transaction() as tx:
            one = await send_text(tx, who, self.room, text, pictures=(NewPicture(key, alt),))
        return one, f"/chat/pictures/{key}/large"

    async def has_file(self, address: str) -> bool:
        try:
            return await self.store.size(blob_key(SentPictureKey(address.split("/")[-2]), Size.LARGE)) > 0
        except NotFound:
            return False


@pytest.fixture
async def chat(make_database, clock, tmp_path) -> AsyncIterator[Chat]:
    store = open_folder(tmp_path / "media")
    site = site_on(await make_database("openmeet", clock=clock), clock, pictures=store)
    async with site.db.transaction() as tx:
        ana, ben, cara = await person(tx, "Ana"), await person(tx, "Ben"), await person(tx, "Cara")
        event = await event_by(tx, ana, starts="2026-03-05T18:00", ends="2026-03-05T20:00")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
    async with (
        signed_in(site, ana.user_id) as as_ana,
        signed_in(site, ben.user_id) as as_ben,
        signed_in(site, cara.user_id) as as_cara,
    ):
        yield Chat(site, store, clock, ana, ben, cara, event, room, as_ana, as_ben, as_cara)


async def test_only_readers_of_the_message_get_its_picture(chat):
    _, address = await chat.show(chat.ana)
    got = await chat.as_ben.get(address)
    assert (got.status_code, got.headers["content-type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(got.content)).size == (80, 60)
    assert got.headers["cache-control"] == "private, no-cache"
    assert (await chat.as_cara.get(address)).status_code == 404
    async with chat.site.browser() as nobody:
        assert (await nobody.get(address)).status_code == 404
    # The picture is also absent at the URL of public pictures.
    assert (await chat.as_ben.get(address.replace("/chat/pictures", "/media"))).status_code == 404


async def test_a_copy_in_the_browser_is_of_no_use_without_access(chat):
    _, address = await chat.show(chat.ana)
    tag = {"if-none-match": (await chat.as_ben.get(address)).headers["etag"]}
    assert (await chat.as_ben.get(address, headers=tag)).status_code == 304
    async with chat.site.db.transaction() as tx:
        await sanctions.sanction(tx, chat.ana, chat.room.id, chat.ben.user_id, SanctionKind.BAN, reason="Spam")
    assert (await chat.as_ben.get(address, headers=tag)).status_code == 404


async def test_a_held_picture_is_visible_to_author_and_moderators_only(chat):
    one, address = await chat.show(chat.ben)
    async with chat.site.db.transaction() as tx:
        await attendance.answer(tx, chat.cara, chat.event.slug, RsvpReply.GOING)
        await messages.hold(tx, chat.ana, one.id)
    assert [(await who.get(address)).status_code for who in (chat.as_ana, chat.as_ben, chat.as_cara)] == [200, 200, 404]


async def test_a_picture_taken_back_is_deleted(chat):
    one, address = await chat.show(chat.ben)
    async with chat.site.db.transaction() as tx:
        await messages.retract(tx, chat.ben, one.id)
    assert [(await who.get(address)).status_code for who in (chat.as_ana, chat.as_ben)] == [404, 404]
    assert await chat.has_file(address)
    assert await pictures.forget_unused(chat.site.db, chat.store) == 1
    assert not await chat.has_file(address)


async def test_a_removed_picture_can_be_restored_for_thirty_days(chat):
    one, address = await chat.show(chat.ben)
    async with chat.site.db.transaction() as tx:
        await attendance.answer(tx, chat.cara, chat.event.slug, RsvpReply.GOING)
    sealer = messages.removal_sealer(CODE_KEY)
    async with chat.site.db.transaction() as tx:
        await messages.remove(tx, chat.ana, one.id, "Off topic", sealer)
    assert "msg-pictures" not in (await chat.as_cara.get(chat.path)).text
    assert [(await who.get(address)).status_code for who in (chat.as_ana, chat.as_ben, chat.as_cara)] == [200, 200, 404]
    # Both see the picture in question.
    assert address in (await chat.as_ana.get(f"/chat/messages/{one.id}")).text
    assert address in (await chat.as_ben.get(f"/chat/messages/{one.id}/object")).text
    async with chat.site.db.transaction() as tx:
        await messages.restore(tx, chat.ana, one.id, sealer)
    assert (await chat.as_cara.get(address)).status_code == 200
    async with chat.site.db.transaction() as tx:
        await messages.remove(tx, chat.ana, one.id, "Off topic", sealer)
    chat.clock.turn(30 * DAY)
    await forget_expired_messages(chat.site.db)
    assert (await pictures.forget_unused(chat.site.db, chat.store), await chat.has_file(address)) == (1, False)
    assert (await chat.as_ana.get(address)).status_code == 404


async def test_site_moderators_see_a_picture_after_a_report(chat):
    one, address = await chat.show(chat.ben)
    evidence = f"/moderation/chat/{one.id}/pictures/{'/'.join(address.split('/')[-2:])}"
    async with chat.site.db.transaction() as tx:
        dora = await person(tx, "Dora")
        await tx.execute("insert into moderators (user_id, named_at) values (:id, :now)", id=dora.user_id, now=tx.now)
    async with signed_in(chat.site, dora.user_id) as as_dora:
        assert (await as_dora.get(evidence)).status_code == 404
        async with chat.site.db.transaction() as tx:
            await sanctions.report(tx, chat.ana, one.id, ReportReason.SPAM, "", to_tenant=True)
        assert (await as_dora.get(evidence)).status_code == 200
        assert evidence in (await as_dora.get(f"/moderation/chat/{one.id}")).text
        assert (await as_dora.get(address)).status_code == 404
    assert (await chat.as_ana.get(evidence)).status_code in {403, 404}


async def test_hosts_cannot_see_pictures_removed_by_the_site(chat):
    one, address = await chat.show(chat.ben)
    async with chat.site.db.transaction() as tx:
        dora = await person(tx, "Dora")
        await sanctions.report(tx, chat.ben, one.id, ReportReason.SPAM, "", to_tenant=True)
        await messages.remove(tx, dora, one.id, "Not here", messages.removal_sealer(CODE_KEY), of_site=True)
    assert [(await who.get(address)).status_code for who in (chat.as_ana, chat.as_ben)] == [404, 200]


async def test_a_picture_can_be_used_by_one_message_only(chat):
    key = await chat.keep(chat.ana)
    async with chat.site.db.transaction() as tx:
        first, second = await send_text(tx, chat.ana, chat.room, "One"), await send_text(tx, chat.ana, chat.room, "Two")
        found = await pictures.require_unsent(tx, chat.ana.user_id, (NewPicture(key),))
        await pictures.attach(tx, first.id, found)
    with pytest.raises(InvalidForm):
        async with chat.site.db.transaction() as tx:
            await pictures.attach(tx, second.id, found)
    async with chat.site.db.reader() as reader:
        kept = await pictures.by_key(reader, key)
    assert kept is not None
    assert kept.message_id == first.id


async def test_an_unsent_picture_is_deleted_after_a_day(chat):
    key = await chat.keep(chat.ben)
    assert (await chat.as_ben.get(f"/chat/pictures/{key}/small")).status_code == 200
    assert (await chat.as_ana.get(f"/chat/pictures/{key}/small")).status_code == 404
    assert await pictures.forget_unused(chat.site.db, chat.store) == 0
    chat.clock.turn(DAY)
    with pytest.raises(InvalidForm):
        async with chat.site.db.transaction() as tx:
            await send_text(tx, chat.ben, chat.room, pictures=(NewPicture(key),))
    assert await pictures.forget_unused(chat.site.db, chat.store) == 1


async def test_only_own_unused_pictures_can_be_sent(chat):
    key = await chat.keep(chat.ana)
    for who, wanted in (
        (chat.ben, (NewPicture(key),)),
        (chat.ana, (NewPicture(key), NewPicture(key))),
        (chat.ana, (NewPicture(SentPictureKey("f" * 32)),)),
        (chat.ana, tuple(NewPicture(key) for _ in range(MAX_PICTURES + 1))),
        (chat.ana, (NewPicture(key, "x" * 1001),)),
    ):
        with pytest.raises(InvalidForm):
            async with chat.site.db.transaction() as tx:
                await send_text(tx, who, chat.room, pictures=wanted)
    async with chat.site.db.transaction() as tx:
        await send_text(tx, chat.ana, chat.room, pictures=(NewPicture(key),))
    with pytest.raises(InvalidForm):
        async with chat.site.db.transaction() as tx:
            await send_text(tx, chat.ana, chat.room, pictures=(NewPicture(key),))


async def test_a_message_without_words_needs_a_picture(chat):
    one, _ = await chat.show(chat.ben)
    async with chat.site.db.transaction() as tx:
        changed = await messages.edit(tx, chat.ben, one.id, "The hut")
        assert changed.pictures == one.pictures
        assert (await messages.edit(tx, chat.ben, one.id, "")).body == ""
        words = await send_text(tx, chat.ben, chat.room)
        with pytest.raises(InvalidForm):
            await messages.edit(tx, chat.ben, words.id, "")


async def test_a_picture_is_found_by_its_description_and_by_a_filter(chat):
    await chat.show(chat.ben, alt="The <old> mill")
    async with chat.site.db.transaction() as tx:
        await send_text(tx, chat.ana, chat.room, "Near the mill?")
    async with chat.site.db.reader() as reader:
        found = await find_messages(reader, chat.ana.user_id, ChatSearch(words="mill"), limit=10)
        assert len(found.messages) == 2
        found = await find_messages(reader, chat.ana.user_id, ChatSearch(has_picture=True), limit=10)
        assert [one.message.user_id for one in found.messages] == [chat.ben.user_id]
    page = (await chat.as_ana.get(f"{chat.path}?q=&has=picture")).text
    assert page.count("Go to the message") == 1
    assert 'alt="The &lt;old&gt; mill"' in page


async def test_lists_and_e_mails_describe_the_picture(chat):
    one, _ = await chat.show(chat.ben, alt="The old mill")
    assert "Ben: Picture: The old mill" in (await chat.as_ana.get("/chat")).text
    async with chat.site.db.transaction() as tx:
        await send_text(tx, chat.ana, chat.room, "Nice", reply_to=one.id)
    assert "<bdi>Ben</bdi></b> Picture: The old mill" in (await chat.as_ana.get(chat.path)).text
    async with chat.site.db.reader() as reader:
        unread = await chats._unread_in(reader, [chat.room.id], chat.ana.user_id)
    assert unread[chat.room.id].lines == ("Ben: Picture: The old mill",)


def form(**fields: str) -> dict[str, str]:
    return {"submission": "one", "text": "", **fields}


async def test_the_form_sends_several_and_keeps_them_when_something_is_wrong(chat):
    files = {
        "picture_1": ("a.jpg", photo(comment=b"by Ana"), "image/jpeg"),
        "picture_2": ("b.png", photo("PNG"), "image/png"),
    }
    wrong = {**files, "picture_3": ("c.jpg", b"<svg/>", "image/jpeg")}
    refused = await chat.as_ben.post(chat.path, data=form(alt_1="First"), files=wrong)
    assert refused.status_code == 400
    assert "Picture 3: " in refused.text
    kept = {name: refused.text.split(f'name="{name}" value="')[1][:32] for name in ("kept_1", "kept_2")}
    sent = await chat.as_ben.post(
        chat.path,
        data=form(**kept, alt_1="First", alt_2="Second", drop_2="yes"),
        files={"picture_4": files["picture_2"]},
    )
    assert sent.status_code == 303
    page = (await chat.as_ana.get(chat.path)).text
    assert page.count("/large") == 2
    assert 'alt="First"' in page
    assert 'alt="Picture by Ben"' in page
    assert 'alt="Second"' not in page
    got = await chat.as_ana.get(f"/chat/pictures/{kept['kept_1']}/large")
    assert b"by Ana" not in got.content


async def test_files_without_write_access_are_not_stored(chat):
    files = {"picture_1": ("a.jpg", photo(), "image/jpeg")}
    assert (await chat.as_cara.post(chat.path, data=form(), files=files)).status_code in {403, 404}
    async with chat.site.db.reader() as reader:
        assert await reader.fetch("select key from chat_pictures order by key") == []


async def unread_body() -> AsyncIterator[bytes]:
    """A request body that fails the test if it is read."""
    raise AssertionError
    yield b""


async def test_an_upload_is_not_read_before_the_access_check(chat):
    """Access is checked first: a person without access is refused although the body never arrives."""
    async with chat.site.browser() as program:
        headers = await api_session(program, "cara@example.org", "Cara")
        upload = f"/api/chat/rooms/{chat.room.id}/pictures"
        typed = {**headers, "content-type": "application/json", "content-length": "9000000"}
        refused = await program.post(upload, headers=typed, content=unread_body())
        assert refused.status_code == 404
    form_of_files = {"content-type": "multipart/form-data; boundary=x", "content-length": "9000000"}
    refused = await chat.as_cara.post(chat.path, headers=form_of_files, content=unread_body())
    assert refused.status_code in {403, 404}


async def test_a_picture_over_the_limit_of_the_community_is_refused(chat):
    with pytest.raises(TooLarge):
        await pictures.store_picture(chat.site.db, chat.store, WORKERS, chat.ana.user_id, photo(), most_bytes=100)


async def test_the_api_uploads_first_and_then_sends(chat):
    async with chat.site.browser() as program:
        headers = await api_session(program, "ben@example.org", "Ben")
        room = f"/api/chat/rooms/{chat.room.id}"
        image = base64.b64encode(photo()).decode()
        made = await program.post(f"{room}/pictures", headers=headers, json={"image": image})
        assert made.status_code == 201
        key = made.json()["id"]
        wanted = {"clientId": "1", "pictures": [{"id": key, "alt": "A square"}]}
        sent = await program.post(f"{room}/messages", headers=headers, json=wanted)
        assert sent.status_code == 201
        (shown,) = sent.json()["pictures"]
        assert (shown["alt"], shown["width"], shown["height"]) == ("A square", 80, 60)
        assert (await program.get(shown["smallUrl"], headers=headers)).headers["content-type"] == "image/jpeg"
        assert (await program.get(shown["url"])).status_code == 404
        again = await program.post(f"{room}/messages", headers=headers, json=wanted)
        assert (again.status_code, again.json()["id"]) == (200, sent.json()["id"])
        found = await program.get("/api/chat/search?has=picture", headers=headers)
        assert [one["id"] for one in found.json()["messages"]] == [sent.json()["id"]]
        bad = await program.post(f"{room}/pictures", headers=headers, json={"image": base64.b64encode(b"no").decode()})
        assert bad.status_code == 400
    async with chat.site.browser() as program:
        headers = await api_session(program, "cara@example.org", "Cara")
        refused = await program.post(f"{room}/pictures", headers=headers, json={"image": image})
        assert refused.status_code == 404
