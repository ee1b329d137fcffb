"""Export of a chat to a file, for its hosts; on both engines."""

import json

import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import export, reactions
from openmeet.domain.chat.model import MessageKind
from openmeet.domain.chat.sanctions import SanctionKind, sanction
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.site_under_test import event_by, person, signed_in, site_on


@pytest.fixture
async def db(make_database, clock):
    return await make_database("openmeet", clock=clock)


async def exported(db, room, who, after=0):
    return [one async for page in export.pages(db, room.id, who.user_id, after) for one in page]


async def test_hosts_get_every_message_and_private_people_by_number(db, monkeypatch):
    monkeypatch.setattr(export, "_PAGE", 2)
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        for one in (ben, cleo):
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
        await tx.execute("update attendances set is_private = 1 where user_id = :id", id=cleo.user_id)
        room = await room_of(tx, ana, subject_of_event(event))
        said = [await send_text(tx, who, room, f"From {who.display_name}") for who in (ana, ben, cleo, ben, cleo)]
    found = await exported(db, room, ana)
    assert [(one.name, one.message.body) for one in found] == [
        ("Ana", "From Ana"),
        ("Ben", "From Ben"),
        ("1", "From Cleo"),
        ("Ben", "From Ben"),
        ("1", "From Cleo"),
    ]
    assert [one.message.id for one in await exported(db, room, ana, said[2].number)] == [said[3].id, said[4].id]
    assert await exported(db, room, ben) == []


async def test_an_export_ends_when_its_reader_loses_access(db, monkeypatch):
    monkeypatch.setattr(export, "_PAGE", 1)
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        room = await room_of(tx, ana, subject_of_event(event))
        for text in ("One", "Two"):
            await send_text(tx, ana, room, text)
    pages = export.pages(db, room.id, ana.user_id, 0)
    assert [one.message.body for one in await anext(pages)] == ["One"]
    async with db.transaction() as tx:
        await sanction(tx, ben, room.id, ana.user_id, SanctionKind.BAN, reason="reported", of_site=True)
    assert [page async for page in pages] == []


async def test_polls_have_their_results(make_database, clock, tmp_path):
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
        details = {"choices": ["Tea", "Cake"], "several": False}
        poll = await send_text(tx, ana, room, "Which?", kind=MessageKind.POLL, details=details)
        await reactions.vote(tx, ben, poll.id, [1])
    async with signed_in(site, ana.user_id) as browser:
        file = await browser.get(f"/chat/rooms/{room.id}/export")
    line = json.loads(file.text)
    assert line["poll"] == {
        "choices": [{"text": "Tea", "votes": 0, "isDate": False}, {"text": "Cake", "votes": 1, "isDate": False}],
        "several": False,
        "endsAt": None,
    }


async def test_a_file_is_json_lines_and_goes_on_where_it_broke_off(make_database, clock, monkeypatch):
    monkeypatch.setattr(export, "_PAGE", 2)
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
        said = [
            await send_text(tx, ana, room, text)
            for text in ("One", "Two\nlines \u2028 and more", "Three", "Four", "Five")
        ]
    path = f"/chat/rooms/{room.id}/export"
    async with signed_in(site, ana.user_id) as as_ana, signed_in(site, ben.user_id) as as_ben:
        file = await as_ana.get(path)
        assert file.headers["content-type"].startswith("application/jsonl")
        lines = [json.loads(one) for one in file.content.split(b"\n") if one]
        assert [(one["number"], one["text"]) for one in lines] == [(one.number, one.body) for one in said]
        assert set(lines[0]) >= {"id", "number", "saidAt", "name", "text"}
        rest = await as_ana.get(path, params={"after": said[2].number})
        assert [json.loads(one)["text"] for one in rest.content.split(b"\n") if one] == ["Four", "Five"]
        assert (await as_ana.get(path, params={"after": said[4].number})).content == b""
        assert (await as_ben.get(path)).status_code == 403
        answered = [(await as_ana.get(path)).status_code for _ in range(3)]
    assert answered == [200, 200, 429]
