"""Every list of the JSON API can be read to its end: it has a cursor, or a bound that is named here."""

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from openmeet.app import operations
from openmeet.attendance import actions as attendance
from openmeet.attendance.model import Reply
from openmeet.events import co_hosts
from openmeet.groups import running
from openmeet.ingestion import conflicts
from openmeet.ingestion.three_way import Decision, Policy, Side
from openmeet.messages import actions as messages
from openmeet.moderation.model import Reason, Subject, Thing
from openmeet.recurrence.pattern import pattern
from openmeet.safety import actions as safety
from openmeet.series import actions as series
from openmeet.series import detections
from openmeet.series.detection import Found
from openmeet.series.detections import DetectionState
from openmeet.series.model import Template
from openmeet.sign_in.actions import open_session
from openmeet.sign_in.model import SessionKind
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import FIRST, ZONE, Timing
from tests.openmeet.site_under_test import event_by, person, site_on

# Lists without a cursor, and why they stay short: what bounds each.
BOUNDED = {
    "/api/tokens": "access.model.MAX_TOKENS, 50",
    "/api/events/{slug}": "co-hosts: events.host_model.MAX_CO_HOSTS, 20",
    "/api/events/{slug}/answer": "answers to questions: attendance.joining.MAX_QUESTIONS, 10",
    "/api/events/{slug}/joining": "attendance.joining.MAX_QUESTIONS, 10",
    "/api/events/{slug}/bluesky-settings": "the event's record and its series': 2",
    "/api/me/reading": "one for each repository that one signed in with",
    "/api/me/records": "one for each repository that one signed in with",
    "/api/searches": "alerts.model.MAX_SEARCHES, 30",
    "/api/series/{slug}/dates": "a window, by from and to; following says where the next begins",
    "/api/series/{slug}/heirs": "series.handing_over.MOST_CANDIDATES, 200",
    "/api/webhooks": "webhooks.model.MAX_WEBHOOKS, 20",
    "/api/me/calendars": "personal_calendar.model.MOST_CALENDARS, 20",
    "/api/imports/{id}": "arriving.model.MOST_EVENTS, 500",
    "/api/sync/status": "kinds of records and debts; the ten worst servers",
    "/api/sync/flags": "the flags that there are",
    "/api/sync/flags/changes": "the newest 50, for operators",
}


def test_every_list_has_a_cursor_or_a_bound() -> None:
    found = set()
    for one in operations():
        for shape in one.answers.values() if one.method == "GET" else ():
            kind = msgspec.inspect.type_info(shape)
            if not isinstance(kind, msgspec.inspect.StructType):
                continue
            lists = [
                field
                for field in kind.fields
                if isinstance(field.type, msgspec.inspect.ListType)
                and isinstance(field.type.item_type, msgspec.inspect.StructType)
            ]
            has_cursor = any(field.encode_name in {"cursor", "nextCursor"} for field in kind.fields)
            # A cursor in the answer is of use only where one can be asked with.
            asks = {parameter.name for parameter in one.parameters}
            if lists and not (has_cursor and "cursor" in asks):
                found.add(one.path)
    assert found == set(BOUNDED)


@pytest.fixture
async def ana(make_database: MakeDatabase, clock) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, str]]]:
    """Ana with three of everything, all made in one moment; the values of her addresses."""
    site = site_on(await make_database("openmeet"), clock, api_requests_per_minute=0)
    async with site.db.transaction() as tx:
        host, ben = await person(tx, "Ana"), await person(tx, "Ben")
        groups = [await group_by(tx, host, name=f"Group {number}") for number in range(3)]
        others = [await person(tx, f"Other {number}") for number in range(3)]
        events = [await event_by(tx, host, title=f"Event {number}") for number in range(3)]
        made = [
            await series.create(tx, host, Template(f"Series {number}"), Timing(pattern(FIRST, ZONE), None))
            for number in range(3)
        ]
        for number, other in enumerate(others):
            await running.invite_by_link(tx, host, groups[0].slug, uses=1)
            await co_hosts.invite(tx, host, events[0].slug, f"host{number}@example.org")
            theirs = await event_by(tx, ben, title=f"Theirs {number}")
            await co_hosts.invite(tx, ben, theirs.slug, "ana@example.org")
            await attendance.answer(tx, other, events[0].slug, Reply.GOING)
            await messages.write(tx, host, events[0].slug, f"Message {number}", ["going"])
            await safety.report(tx, host, Thing.PERSON, other.user_id, Reason.SPAM, "")
            await safety.mute(tx, host, Subject(Thing.PERSON, other.user_id))
        for reply in (Reply.GOING, Reply.DECLINED, Reply.INTERESTED):
            mine = await attendance.answer(tx, host, theirs.slug, reply)
        for other in others:
            await safety.block(tx, host, other.user_id)
        for number in range(3):
            uri = f"at://did:plc:abc/community.lexicon.calendar.event/{number}"
            decision = Decision("name", "Tea", "Coffee", "Cocoa", Policy.MANUAL_EDIT_IS_KEPT, Side.OURS)
            await conflicts.keep(tx, uri=uri, theirs_rev="r", ours_revision=1, decisions=(decision,))
            await conflicts.keep(tx, uri=uri, theirs_rev=f"s{number}", ours_revision=1, decisions=(decision,))
            await conflicts.keep(tx, uri=uri, theirs_rev=f"t{number}", ours_revision=1, decisions=(decision,))
        await tx.execute("update events set record_uri = :uri where id = :id", uri=uri, id=events[0].id)
        await tx.execute("update event_series set record_uri = :uri where id = :id", uri=uri, id=made[0].id)
        await tx.execute("update groups set external_id = :uri where id = :id", uri=uri, id=groups[0].id)
        for number in range(3):
            pattern_found = Found(f"tea {number}", None, ZONE, ((events[0].id, FIRST),), (), 0.9)
            await detections.put(tx, host.user_id, pattern_found, DetectionState.SUGGESTED, None)
        session = await open_session(tx, host.user_id, SessionKind.API)
    assert mine is not None
    async with site.browser() as client:
        client.headers["authorization"] = f"Bearer {session.token}"
        yield (
            client,
            {"event": events[0].slug, "group": groups[0].slug, "series": made[0].slug, "theirs": theirs.slug},
        )


async def test_a_list_read_one_by_one_is_the_whole_list(ana: tuple[httpx.AsyncClient, dict[str, str]]) -> None:
    """In its order, without doubles or gaps, also where all were made in one moment."""
    client, names = ana
    for path, name in (
        ("/api/series", "series"),
        ("/api/my/groups", "groups"),
        ("/api/groups/{group}/invitations", "invitations"),
        ("/api/events/{event}/co-hosts", "coHosts"),
        ("/api/my/co-hosting", "invitations"),
        ("/api/events/{event}/messages", "messages"),
        ("/api/events/{theirs}/answer/history", "changes"),
        ("/api/me/reports", "reports"),
        ("/api/me/blocks", "blocks"),
        ("/api/me/mutes", "mutes"),
        ("/api/events/{event}/decisions", "decisions"),
        ("/api/series/{series}/merged", "decisions"),
        ("/api/groups/{group}/merged", "decisions"),
        ("/api/me/series-found", "found"),
    ):
        address = path.format(**names)
        whole = await client.get(address)
        assert whole.status_code == 200, (path, whole.text)
        assert (len(whole.json()[name]), whole.json()["cursor"]) == (3, None), path
        read, cursor = [], ""
        while cursor is not None:
            page = (await client.get(address, params={"limit": 1, "cursor": cursor})).json()
            read += page[name]
            cursor = page["cursor"]
            assert len(read) <= 3, path
        assert read == whole.json()[name], path
        for wrong in ({"cursor": "made-up"}, {"limit": "0"}, {"limit": "101"}, {"limit": "ten"}):
            refused = await client.get(address, params=wrong)
            assert refused.status_code in {400, 422}, (path, wrong, refused.text)
