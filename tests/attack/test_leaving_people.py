"""People who asked for the deletion of their account: nobody finds their name or anything they wrote, on any page, in the
API or in mails, until they come back.

Dan takes part in everything. Ana hosts, Ben is a co-host of her events and an admin of her group, and Cleo takes part.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

import pytest

from groundwork.clock import DAY, HOUR, HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import run_once
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.chat import messages, objections, polls, reactions, readers, sanctions
from openmeet.domain.chat.messages import removal_sealer
from openmeet.domain.chat.model import MessageKind, NotificationLevel, Room, RoomKind, RoomSubject, SubjectKind
from openmeet.domain.chat.notify import chat_notification_handler
from openmeet.domain.erasure import actions as erasure
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_hosts, group_of_event
from openmeet.domain.events.model import Event
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration, announcements
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.host_messages import actions as host_messages
from openmeet.domain.moderation.model import ReportReason
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series.model import Series, SeriesSlug
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.groups.people import group_by
from tests.openmeet.privacy.planted import GUEST, HOST, MEMBER, Planted, Viewer, secrets_in_mails
from tests.openmeet.privacy.site_crawler import UNLIMITED, addresses, places, signed_in_viewer
from tests.openmeet.series.practice import NOW, create_weekly_series, dates
from tests.openmeet.site_under_test import CODE_KEY, Site, details, site_on

GRACE: Final = 14 * DAY
_VIEWERS: Final = (HOST, GUEST, MEMBER)
_LATER: Final = {"starts": "2027-01-25T18:00", "ends": "2027-01-25T20:00"}
# First words of paths whose pages do not depend on people.
_SAME_FOR_ALL: Final = {"admin", "covers", "dev", "health", "help", "language", "media", "operating", "static", "tiles"}
_SEALER: Final = removal_sealer(CODE_KEY)


@dataclass
class Scene:
    """The site, what Dan left on it, and further URLs."""

    site: Site
    planted: Planted
    dan: Caller
    further: list[str]


async def _scene(db: Database, clock: HandClock) -> Scene:
    clock.turn(NOW - clock.now())
    planted = Planted()
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        await _sign_up(tx, planted, HOST, ana)
        for viewer, name in ((GUEST, "Ben"), (MEMBER, "Cleo")):
            user_id = await users.create_person(tx, display_name=name, email=f"{name.lower()}@example.org")
            await _sign_up(tx, planted, viewer, Caller(user_id, name))
        name = planted.secret("name")
        dan = Caller(await users.create_person(tx, display_name=name, email="dan@example.org"), name)
        tea = await _hosted_event(tx, planted, dan)
        games = await _answered_event(tx, planted, dan)
        group = await _group(tx, planted, dan)
        await _series(tx, planted, dan, series)
    room_ids = [one["room"] for one in planted.addresses["chat"]]
    further = [
        f"/events/{tea.slug}/attendees?q=zqname",
        f"/events/{games.slug}/attendees?q=zqname",
        f"/events/{games.slug}/attendees?tab=asking",
        f"/api/events/{games.slug}/attendances?q=zqname",
        f"/chat/direct/event/{games.slug}?with={dan.user_id}",
        "/chat?q=zqname",
        *(f"/chat/search?q={word}" for word in ("zqtextzq", "zqdirectzq", "zqgrouptextzq")),
        *(f"/api/chat/search?q={word}" for word in ("zqtextzq", "zqdirectzq", "zqgrouptextzq")),
        f"/api/chat/search?person={dan.user_id}",
        *(f"/api/chat/rooms/{room}/members?q=zqname" for room in room_ids),
        f"/groups/{group.slug}/members?q=zqname",
    ]
    return Scene(site_on(db, clock, **UNLIMITED), planted, dan, further)


async def _sign_up(tx: Transaction, planted: Planted, viewer: Viewer, caller: Caller) -> None:
    browser = await open_session(tx, caller.user_id, SessionTransport.BROWSER)
    program = await open_session(tx, caller.user_id, SessionTransport.API)
    planted.callers[viewer], planted.tokens[viewer] = caller, (browser.token, program.token)


async def _hosted_event(tx: Transaction, planted: Planted, dan: Caller) -> Event:
    """An event of Ana that Dan and Ben co-host, with its chat and the chat of its hosts."""
    ana, ben, cleo = (planted.callers[one] for one in _VIEWERS)
    tea = await events.create(tx, ana, details(title="Tea", **_LATER))
    for who in (ben, dan):
        address = "ben@example.org" if who is ben else "dan@example.org"
        invited = await co_hosts.invite(tx, ana, tea.slug, address)
        await co_hosts.accept(tx, who, invited.id)
    await attendance.answer(tx, cleo, tea.slug, RsvpReply.GOING)
    await host_messages.write(tx, dan, tea.slug, planted.secret("hostmessage"), ["going"])
    later = tx.now + 3 * DAY
    await host_messages.write(tx, dan, tea.slug, planted.secret("latermessage"), ["going"], send_at=later)
    room = await room_of(tx, ana, subject_of_event(tea))
    await readers.choose_notifications(tx, cleo, room.id, NotificationLevel.ALL, None)
    first = await send_text(tx, cleo, room, "Who brings cups?")
    said = await send_text(tx, dan, room, planted.secret("earlier"), reply_to=first.id)
    await messages.edit(tx, dan, said.id, planted.secret("text"))
    await send_text(tx, cleo, room, "Thank you", reply_to=said.id, mentions=(dan.user_id,))
    await reactions.react(tx, dan, first.id, "👍")
    await reactions.pin(tx, ana, said.id)
    await sanctions.report(tx, cleo, said.id, ReportReason.OTHER, "Rude")
    await _poll(tx, planted, room, dan, cleo)
    removed = await send_text(tx, cleo, room, "Bad words")
    await messages.remove(tx, dan, removed.id, planted.secret("reason"), _SEALER)
    hosts = await room_of(tx, ana, subject_of_event(tea), RoomKind.HOSTS)
    in_hosts = await send_text(tx, dan, hosts, planted.secret("hoststext"))
    _address(planted, "events", tea.slug, dan, id=said.id)
    _address(planted, "chat", tea.slug, dan, kind="event", room=room.id, message=said.id, id=said.id)
    _address(planted, "chat", tea.slug, dan, kind="event", room=hosts.id, message=in_hosts.id, id=in_hosts.id)
    return tea


async def _poll(tx: Transaction, planted: Planted, room: Room, dan: Caller, cleo: Caller) -> None:
    choices = [planted.secret("choice"), "Another day"]
    asked = await polls.checked_poll(tx, room.id, choices, several=False, ends_at=None)
    await send_text(tx, dan, room, planted.secret("poll"), kind=MessageKind.POLL, details=asked)
    asked = await polls.checked_poll(tx, room.id, ["Tea", "Coffee"], several=False, ends_at=None)
    drinks = await send_text(tx, cleo, room, "What do you drink?", kind=MessageKind.POLL, details=asked)
    await reactions.vote(tx, dan, drinks.id, [0])


async def _answered_event(tx: Transaction, planted: Planted, dan: Caller) -> Event:
    """An event of Ana, co-hosted by Ben, whose chat Dan writes in as a guest, with messages that moderators look at."""
    ana, ben, cleo = (planted.callers[one] for one in _VIEWERS)
    games = await events.create(tx, ana, details(title="Games", **_LATER))
    invited = await co_hosts.invite(tx, ana, games.slug, "ben@example.org")
    await co_hosts.accept(tx, ben, invited.id)
    questions = (RegistrationQuestion("q1", "What do you play?"),)
    joining = RegistrationSettings(max_party=3, asks_names=True, questions=questions)
    await event_hosting.change_registration_settings(tx, ana, games.slug, joining)
    brought = ReplyDetails(2, None, (planted.secret("companion"),), {"q1": planted.secret("reply")}, None)
    answer = await attendance.answer(tx, dan, games.slug, RsvpReply.GOING, brought)
    await attendance.answer(tx, cleo, games.slug, RsvpReply.GOING)
    room = await room_of(tx, ana, subject_of_event(games))
    held = await send_text(tx, dan, room, planted.secret("held"))
    await messages.hold(tx, ana, held.id)
    bad = await send_text(tx, dan, room, planted.secret("removed"))
    await messages.remove(tx, ana, bad.id, "Rude", _SEALER)
    await objections.object_to(tx, dan, bad.id, planted.secret("objection"))
    last = await send_text(tx, dan, room, planted.secret("last"))
    direct = await room_of(tx, dan, subject_of_event(games), RoomKind.DIRECT, with_user_id=dan.user_id)
    asked = await send_text(tx, dan, direct, planted.secret("direct"))
    more = {"attendance_id": answer.id, "attendanceId": answer.id}
    _address(planted, "events", games.slug, dan, id=last.id, **more)
    for where, one in ((room, held), (room, bad), (room, last), (direct, asked)):
        _address(planted, "chat", games.slug, dan, kind="event", room=where.id, message=one.id, id=one.id)
    return games


async def _group(tx: Transaction, planted: Planted, dan: Caller) -> Group:
    ana, ben, cleo = (planted.callers[one] for one in _VIEWERS)
    group = await group_by(tx, ana, name="Chess club")
    for who in (ben, dan, cleo):
        await groups.join(tx, who, group.slug)
    for who in (ben, dan):
        await administration.change_role(tx, ana, group.slug, who.user_id, GroupRole.ADMIN)
    announced = await announcements.announce(tx, dan, group.slug, planted.secret("news"))
    link = await administration.invite_by_link(tx, dan, group.slug, uses=1)
    event = await events.create(
        tx, dan, details(title=planted.secret("eventtitle"), **_LATER), group=group_of_event.as_group_of_event(group)
    )
    channel = await room_of(tx, ana, RoomSubject(SubjectKind.GROUP, group.id), RoomKind.CHANNEL)
    said = await send_text(tx, dan, channel, planted.secret("grouptext"))
    more = {"announcement": announced.id, "invitation": link.id, "channel": channel.name}
    _address(planted, "groups", group.slug, dan, **more)
    _address(planted, "events", event.slug, dan)
    _address(planted, "chat", group.slug, dan, kind="group", room=channel.id, message=said.id, id=said.id)
    return group


async def _series(tx: Transaction, planted: Planted, dan: Caller, series: Series) -> None:
    ana, _, cleo = (planted.callers[one] for one in _VIEWERS)
    for who in (dan, cleo):
        await series_actions.follow(tx, who, SeriesSlug(series.slug))
        await attendance.answer(tx, who, (await dates(tx, series))[-1].slug, RsvpReply.GOING)
    room = await room_of(tx, ana, RoomSubject(SubjectKind.SERIES, series.id), RoomKind.SERIES)
    said = await send_text(tx, dan, room, planted.secret("seriestext"))
    _address(planted, "series", series.slug, dan)
    _address(planted, "chat", series.slug, dan, kind="series", room=room.id, message=said.id, id=said.id)


def _address(planted: Planted, first_word: str, slug: str, dan: Caller, **more: str) -> None:
    values = {"slug": slug, "person": dan.user_id, "userId": dan.user_id, **more}
    planted.addresses.setdefault(first_word, []).append(values)
    planted.addresses.setdefault("people", [{"userId": dan.user_id}])


def _everywhere(scene: Scene, viewer: Viewer) -> list[str]:
    """Every page and API operation, each once."""
    found = dict.fromkeys(
        address
        for place in places(scene.site)
        if place.method == "GET" and place.path.split("/")[1] not in _SAME_FOR_ALL
        for address, _ in addresses(place, scene.planted, viewer)
    )
    return [*found, *scene.further]


async def _seen(scene: Scene, viewer: Viewer, requested: Iterable[str]) -> dict[str, set[str]]:
    """What this viewer finds of Dan at these addresses, by address."""
    found = {}
    async with signed_in_viewer(scene.site, scene.planted, viewer) as client:
        for address in requested:
            answer = await client.get(address)
            if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                scene.site.clock.turn(HOUR)
                answer = await client.get(address)
            assert answer.status_code not in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR}, address
            # The requested URL may be in the response.
            text = answer.text
            for part in re.findall(r"[^/?&=]+", address):
                text = text.replace(part, "") if "zq" in part else text
            if secrets := scene.planted.found_in(text):
                found[address] = secrets
    return found


async def test_nobody_finds_anything_of_a_leaving_person(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """Until they leave, people find everything; afterwards nothing. When the person returns, all of it is back."""
    scene = await _scene(await make_sqlite("openmeet", clock=clock), clock)
    shown = {viewer: await _seen(scene, viewer, _everywhere(scene, viewer)) for viewer in (HOST, MEMBER)}
    # The co-host looks where the host and the member found something, and so does everybody once Dan is leaving.
    known = sorted({address for found in shown.values() for address in found})
    shown[GUEST] = await _seen(scene, GUEST, known)
    everything = {secret for found in shown.values() for secrets in found.values() for secret in secrets}
    assert set(scene.planted.for_whom) - everything == set(), "the sweep does not reach these"
    await erasure.begin(scene.site.db, scene.dan.user_id, GRACE)
    for viewer in _VIEWERS:
        assert await _seen(scene, viewer, known) == {}, f"{viewer} finds somebody who is leaving"
    async with scene.site.db.transaction() as tx:
        await open_session(tx, scene.dan.user_id, SessionTransport.BROWSER)
    assert await _seen(scene, HOST, known) == shown[HOST]


@pytest.mark.parametrize("is_leaving", [False, True])
async def test_waiting_mails_tell_nothing_of_a_leaving_person(
    make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path, *, is_leaving: bool
) -> None:
    """E-mails about chats, messages of hosts and announcements that are composed after the request."""
    scene = await _scene(await make_sqlite("openmeet", clock=clock), clock)
    db = scene.site.db
    while await run_once(db, {JobKind.NOTIFY_CHAT: one_job_per_call(chat_notification_handler(db))}):
        pass
    if is_leaving:
        await erasure.begin(db, scene.dan.user_id, GRACE)
    clock.turn(4 * DAY)
    await host_messages.send_due(db)
    found = await secrets_in_mails(scene.site, scene.planted, tmp_path / "mail")
    assert found.keys() >= {f"{name}@example.org" for name in ("ana", "ben", "cleo")}
    secrets = {secret for each in found.values() for secret in each}
    if is_leaving:
        assert secrets == set()
    else:
        assert secrets >= {"name", "news", "hostmessage", "hoststext", "direct"}
