"""Reported chat messages in the JSON API for the community's moderators."""

from http import HTTPStatus

from openmeet.domain.api_tokens import tokens
from openmeet.domain.api_tokens.scopes import TokenScope
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import objections, queries, sanctions
from openmeet.domain.moderation.model import ReportReason
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.site_under_test import api_session, event_by, person, site_on


async def test_a_reported_message_is_decided_in_the_api(make_database, clock):
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben, dora = [await person(tx, name) for name in ("Ana", "Ben", "Dora")]
        await tx.execute("insert into moderators (user_id, named_at) values (:id, :now)", id=dora.user_id, now=tx.now)
        event = await event_by(tx, ana, title="Games")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
        near = await send_text(tx, ana, room, "Who comes?")
        one = await send_text(tx, ben, room, "Buy my watches")
    path = f"/api/moderation/chat/{one.id}"
    async with site.browser() as program:
        as_dora = await api_session(program, "dora@example.org", "Dora")
        assert (await program.get("/api/moderation/chat", headers=as_dora)).json() == {"messages": [], "cursor": None}
        # Moderators cannot read messages that nobody has reported.
        assert (await program.get(path, headers=as_dora)).status_code == 404
        assert (await program.post(path, headers=as_dora, json={"act": "remove", "reason": "x"})).status_code == 404
        async with site.db.transaction() as tx:
            await sanctions.report(tx, ana, one.id, ReportReason.SPAM, "Again", to_tenant=True)
        (waiting,) = (await program.get("/api/moderation/chat?limit=1", headers=as_dora)).json()["messages"]
        assert (waiting["messageId"], waiting["room"]) == (one.id, "Games")
        assert [(each["reason"], each["words"]) for each in waiting["reports"]] == [("spam", "Again")]
        found = (await program.get(path, headers=as_dora)).json()
        assert [each["text"] for each in found["context"]] == [near.body, one.body]
        assert (await program.post(path, headers=as_dora, json={"act": "remove"})).status_code == 400
        assert (await program.post(path, headers=as_dora, json={"act": "burn"})).status_code == 400
        removed = (await program.post(path, headers=as_dora, json={"act": "remove", "reason": "Ads"})).json()
        assert (removed["removedText"], removed["removalReason"]) == ("Buy my watches", "Ads")
        assert removed["removedBySite"] is True
        banned = await program.post(path, headers=as_dora, json={"act": "ban", "reason": "Ads"})
        assert banned.json()["isAuthorBanned"] is True
        async with site.db.transaction() as tx:
            await objections.object_to(tx, ben, one.id, "They are good")
        assert (await program.get(path, headers=as_dora)).json()["objection"] == "They are good"
        for act in ("restore", "unban"):
            decided = (await program.post(path, headers=as_dora, json={"act": act})).json()
        assert (decided["isAuthorBanned"], decided["removedBySite"], decided["objection"]) == (False, False, None)
        as_ana = await api_session(program, "ana@example.org", "Ana")
        for method in ("GET", "POST"):
            refused = await program.request(method, path, headers=as_ana, json={"act": "dismiss"})
            assert refused.status_code == 403
    async with site.db.reader() as reader:
        stored, _, _ = await queries.visible_message(reader, one.id, ana.user_id)
    assert stored.body == "Buy my watches"


async def test_a_token_that_may_only_read_shows_no_reported_messages(make_database, clock):
    """The token of a moderator needs the scope for moderation, because reported messages belong to other people's
    chats.
    """
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben, dora = [await person(tx, name) for name in ("Ana", "Ben", "Dora")]
        await tx.execute("insert into moderators (user_id, named_at) values (:id, :now)", id=dora.user_id, now=tx.now)
        event = await event_by(tx, ana, title="Games")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        one = await send_text(tx, ben, await room_of(tx, ana, subject_of_event(event)), "My secret")
        await sanctions.report(tx, ana, one.id, ReportReason.SPAM, "", to_tenant=True)
        bearers = {}
        for scope in (TokenScope.READ, TokenScope.MODERATION):
            _, token = await tokens.make(tx, dora, tokens.check(name="A script", scopes=[scope], days="1"))
            bearers[scope] = {"authorization": f"Bearer {token}"}
    async with site.browser() as program:
        for path in ("chat", f"chat/{one.id}", "labelled", "queue"):
            refused = await program.get(f"/api/moderation/{path}", headers=bearers[TokenScope.READ])
            assert (refused.status_code, "My secret" in refused.text) == (HTTPStatus.FORBIDDEN, False), path
            allowed = await program.get(f"/api/moderation/{path}", headers=bearers[TokenScope.MODERATION])
            assert allowed.status_code == HTTPStatus.OK, path
