"""Every list of the JSON API can be read to its end: it has a cursor, or a bound that is named here."""

import re
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from openmeet.app import operations
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import co_hosts
from openmeet.domain.groups import administration
from openmeet.domain.host_messages import actions as messages
from openmeet.domain.moderation.model import ReportReason, Subject, Thing
from openmeet.domain.safety import actions as safety
from openmeet.domain.series import actions as series
from openmeet.domain.series import detection_queries
from openmeet.domain.series.detection import DetectedSeries
from openmeet.domain.series.detection_queries import DetectionState
from openmeet.domain.series.model import Template
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.network.ingestion import merge_decisions
from openmeet.network.ingestion.three_way_merge import FieldDecision, MergeReason, MergeSide
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import FIRST, ZONE, Timing
from tests.openmeet.site_under_test import event_by, person, site_on

# Lists without a cursor, and why they stay short: what bounds each. A number that begins the line is in the documentation.
BOUNDED = {
    "/api/tokens": "50: api_tokens.tokens.MAX_TOKENS",
    "/api/events/{slug}": "20: events.host_model.MAX_CO_HOSTS; questions as below",
    "/api/events/{slug}/answer": "10: attendance.registration.MAX_QUESTIONS",
    "/api/events/{slug}/joining": "10: attendance.registration.MAX_QUESTIONS",
    "/api/events/{slug}/bluesky-settings": "the event's record and its series': 2",
    "/api/me/reading": "one for each repository that one signed in with",
    "/api/me/records": "one for each repository that one signed in with",
    "/api/searches": "30: saved_searches.model.MAX_SEARCHES",
    "/api/webhooks": "20: webhooks.model.MAX_WEBHOOKS",
    "/api/me/calendars": "20: calendars.model.MOST_CALENDARS",
    "/api/sync/status": "kinds of records and debts; the ten worst servers",
    "/api/sync/flags": "the flags that there are",
    "/api/sync/flags/changes": "50: feature_flags.queries.SHOWN_CHANGES, for operators",
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
            if lists and not (has_cursor and {"cursor", "limit"} <= asks):
                found.add(one.path)
    assert found == set(BOUNDED)


def test_a_bound_is_in_the_documentation() -> None:
    said = {one.path: re.findall("[0-9]+", one.summary) for one in operations() if one.method == "GET"}
    for path, bound in BOUNDED.items():
        number = re.match("[0-9]+", bound)
        assert number is None or number[0] in said[path], path


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
            await administration.invite_by_link(tx, host, groups[0].slug, uses=1)
            await co_hosts.invite(tx, host, events[0].slug, f"host{number}@example.org")
            theirs = await event_by(tx, ben, title=f"Theirs {number}")
            await co_hosts.invite(tx, ben, theirs.slug, "ana@example.org")
            await attendance.answer(tx, other, events[0].slug, RsvpReply.GOING)
            await messages.write(tx, host, events[0].slug, f"Message {number}", ["going"])
            await safety.report(tx, host, Thing.PERSON, other.user_id, ReportReason.SPAM, "")
            await safety.mute(tx, host, Subject(Thing.PERSON, other.user_id))
        for reply in (RsvpReply.GOING, RsvpReply.DECLINED, RsvpReply.INTERESTED):
            mine = await attendance.answer(tx, host, theirs.slug, reply)
        for other in others:
            await safety.block(tx, host, other.user_id)
        for number in range(3):
            uri = f"at://did:plc:abc/community.lexicon.calendar.event/{number}"
            decision = FieldDecision("name", "Tea", "Coffee", "Cocoa", MergeReason.MANUAL_EDIT_IS_KEPT, MergeSide.OURS)
            await merge_decisions.keep(tx, uri=uri, theirs_rev="r", ours_revision=1, decisions=(decision,))
            await merge_decisions.keep(tx, uri=uri, theirs_rev=f"s{number}", ours_revision=1, decisions=(decision,))
            await merge_decisions.keep(tx, uri=uri, theirs_rev=f"t{number}", ours_revision=1, decisions=(decision,))
        await tx.execute("update events set record_uri = :uri where id = :id", uri=uri, id=events[0].id)
        await tx.execute("update event_series set record_uri = :uri where id = :id", uri=uri, id=made[0].id)
        await tx.execute("update groups set external_id = :uri where id = :id", uri=uri, id=groups[0].id)
        for number in range(3):
            pattern_found = DetectedSeries(f"tea {number}", None, ZONE, ((events[0].id, FIRST),), (), 0.9)
            await detection_queries.put(tx, host.user_id, pattern_found, DetectionState.SUGGESTED, None)
        for number in range(3):
            guest = await person(tx, f"Guest {number}")
            await attendance.answer(tx, guest, events[2].slug, RsvpReply.GOING)
            await series.follow(tx, guest, made[1].slug)
        daily = pattern(FIRST, ZONE, parse_rule("FREQ=DAILY;COUNT=3"))
        thrice = await series.create(tx, ben, Template("Thrice"), Timing(daily, None))
        session = await open_session(tx, host.user_id, SessionTransport.API)
    assert mine is not None
    async with site.browser() as client:
        client.headers["authorization"] = f"Bearer {session.token}"
        file = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + "".join(
            f"BEGIN:VEVENT\r\nUID:tea{number}\r\nDTSTART:20260701T150000Z\r\nSUMMARY:Tea {number}\r\nEND:VEVENT\r\n"
            for number in range(3)
        )
        arrived = await client.post(
            "/api/imports", content=f"{file}END:VCALENDAR\r\n", headers={"content-type": "text/calendar"}
        )
        assert arrived.status_code == 201, arrived.text
        assert (len(arrived.json()["events"]), arrived.json()["cursor"]) == (3, None)
        yield (
            client,
            {"event": events[0].slug, "group": groups[0].slug, "series": made[0].slug, "theirs": theirs.slug}
            | {"attended": events[2].slug, "followed": made[1].slug, "thrice": thrice.slug}
            | {"import": arrived.json()["id"]},
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
        ("/api/events/{attended}/attendees", "attendees"),
        ("/api/series/{followed}/heirs", "people"),
        ("/api/series/{thrice}/dates", "dates"),
        ("/api/imports/{import}", "events"),
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
        for wrong in ({"cursor": "made-up"}, {"limit": "0"}, {"limit": "1001"}, {"limit": "ten"}):
            refused = await client.get(address, params=wrong)
            assert refused.status_code in {400, 422}, (path, wrong, refused.text)
