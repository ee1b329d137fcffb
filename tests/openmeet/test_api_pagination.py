"""Every list of the JSON API can be read to its end: it has a cursor, or a limit that is listed in this file."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from at_protocol.lexicon.authority import OWN_AUTHORITY
from at_protocol.lexicon.catalog import Catalog
from groundwork.sealing import Sealer
from openmeet.domain.api_tokens import tokens as api_tokens
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import MAX_PARTY, RsvpReply
from openmeet.domain.attendance.registration import MAX_QUESTIONS
from openmeet.domain.chat.model import MAX_CHANNELS, MAX_EMOJI_KINDS, MAX_MENTIONS, MAX_PICTURES
from openmeet.domain.erasure.model import MAX_LISTED as MAX_DELETION_LISTED
from openmeet.domain.events import co_hosts
from openmeet.domain.events.co_host_invitations import MAX_CO_HOSTS
from openmeet.domain.events.content import Content
from openmeet.domain.events.values import MAX_CATEGORIES, MAX_LANGUAGES
from openmeet.domain.events.vocabulary import MAX_TAGS, AccessFeature
from openmeet.domain.groups import administration, followed_dids
from openmeet.domain.host_messages import actions as messages
from openmeet.domain.identities import backfill_progress
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide
from openmeet.domain.moderation.model import ModeratedKind, ReportReason, Subject
from openmeet.domain.profiles import actions as profiles
from openmeet.domain.safety import actions as safety
from openmeet.domain.saved_searches import actions as saved_searches
from openmeet.domain.series import actions as series
from openmeet.domain.series import detection_queries
from openmeet.domain.series.detection import DetectedSeries
from openmeet.domain.series.detection_queries import DetectionState
from openmeet.domain.series.model import Timing
from openmeet.domain.series.split_queries import MAX_PARTS
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.webhooks import actions as webhooks
from openmeet.domain.webhooks.model import WebhookEvent
from openmeet.feature_flags import flags
from openmeet.feature_flags.flags import Flag
from openmeet.network.status import SHOWN
from openmeet.recurrence.pattern import MAX_DATES, pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.routes import operations
from openmeet.web.api.openapi import document
from openmeet.web.events.link_preview import SHOWN_OF_HOST
from openmeet.web.profiles.pages import GROUPS
from openmeet.web.search.places import MAX_LISTED
from openmeet.web.xrpc.dispatch import QUERIES
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.ingestion.network import did
from tests.openmeet.series.practice import FIRST, ZONE
from tests.openmeet.site_under_test import event_by, person, site_on

# Lists without a cursor: parts of a single thing, each with the limit of its length.
_EVENT = {
    "access": f"of {len(AccessFeature)} features",
    "categories": f"at most {MAX_CATEGORIES}",
    "tags": f"at most {MAX_TAGS}",
    "languages": f"at most {MAX_LANGUAGES}",
}
BOUNDED = {
    "/api/me/deletion": {
        "events": f"at most {MAX_DELETION_LISTED}",
        "recordsOutOfReach": f"at most {MAX_DELETION_LISTED}",
    },
    "/api/chat/messages/{id}": {
        "mentions": f"at most {MAX_MENTIONS}",
        "pictures": f"at most {MAX_PICTURES}",
        "poll.choices": "at most 10",
        "reactions": f"of at most {MAX_EMOJI_KINDS} kinds",
    },
    "/api/chat/rooms/{room}/sanctions/{person}": {"sanctions": "a mute and a ban"},
    "/api/moderation/chat/{message}": {"context": "five before and after", "reports": "at most 100"},
    "/api/events/{slug}/chat": {"rooms": "of the event, of the date and of the hosts"},
    "/api/series/{slug}/chat": {"rooms": "of the series and of the hosts"},
    "/api/groups/{slug}/chat": {"rooms": f"at most {MAX_CHANNELS} channels and that of the hosts"},
    "/api/events/{slug}": _EVENT
    | {
        "differsIn": "of the fields of an event",
        "coHosts": f"at most {MAX_CO_HOSTS}",
        "answerLabels": "of the buttons of the answer bar",
        "questions": f"at most {MAX_QUESTIONS}",
    },
    "/api/series/{slug}": _EVENT
    | {
        "rdates": f"at most {MAX_DATES}",
        "exdates": f"at most {MAX_DATES}",
        "continuedBy": f"at most {MAX_PARTS} parts",
    },
    "/api/events/{slug}/answer": {
        "guestNames": f"at most {MAX_PARTY - 1}",
        "answers": f"to at most {MAX_QUESTIONS} questions",
    },
    "/api/events/{slug}/joining": {"questions": f"at most {MAX_QUESTIONS}"},
    "/api/events/{slug}/bluesky-settings": {"publications": "the record of the event and that of its series"},
    "/api/people/{userId}": {
        "groups": f"the first {GROUPS}",
        "events": f"the next {SHOWN_OF_HOST}; the calendar file has all",
    },
    "/api/me/records": {"accounts": "one for each account that the person signed in with"},
    "/api/chat/rooms/{room}/matrix/guests": {"guests": "at most 100 in a room"},
    "/api/me/matrix/rooms": {"rooms": "the most recent ones"},
    "/api/places": {"places": f"at most {MAX_LISTED}, without a next page"},
    "/api/webhooks/{id}": {"kinds": f"of {len(WebhookEvent)} kinds"},
    "/api/sync/status": {
        "sources": "of the settings",
        "publications": "kinds and states",
        "jobs": "kinds and states",
        "failingServers": f"the {SHOWN} with the most waiting records",
    },
    "/api/sync/flags": {"flags": f"the {len(Flag)} flags"},
}


def lists_in(schema: dict[str, Any], known: dict[str, Any], path: str = "") -> set[str]:
    """The arrays in a response, by the property names that lead to them. The contents of arrays are not searched."""
    if "$ref" in schema:
        return lists_in(known[schema["$ref"].rsplit("/", 1)[1]], known, path)
    if schema.get("type") == "array":
        return {path}
    within = [(path, one) for kind in ("anyOf", "oneOf", "allOf") for one in schema.get(kind, ())]
    within += [(f"{path}.{name}".strip("."), one) for name, one in schema.get("properties", {}).items()]
    if isinstance(schema.get("additionalProperties"), dict):
        within.append((f"{path}.*".strip("."), schema["additionalProperties"]))
    return {found for name, one in within for found in lists_in(one, known, name)}


def test_every_list_has_a_limit_and_a_cursor_or_a_bound() -> None:
    described = document("Site", "https://site.example", operations())
    known, found = described["components"]["schemas"], {}
    for path, methods in described["paths"].items():
        answer = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        lists = lists_in(answer["application/json"]["schema"], known) if "application/json" in answer else set()
        asks = {one["name"] for one in methods.get("get", {}).get("parameters", ())}
        if lists and not {"limit", "cursor"} <= asks:
            found[path] = lists
    assert found == {path: set(bounds) for path, bounds in BOUNDED.items()}


def test_a_request_with_a_cursor_gets_the_next_one() -> None:
    described = document("Site", "https://site.example", operations())
    for path, methods in described["paths"].items():
        asked = methods.get("get", {})
        if path not in BOUNDED and {"limit", "cursor"} & {one["name"] for one in asked.get("parameters", ())}:
            assert {"limit", "cursor"} <= {one["name"] for one in asked["parameters"]}, path
            name = asked["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            assert {"cursor", "nextCursor"} & described["components"]["schemas"][name]["properties"].keys(), path


def test_every_list_of_the_queries_has_a_limit_and_a_cursor() -> None:
    catalog = Catalog()
    for query in QUERIES:
        main = json.loads(catalog.text(f"{OWN_AUTHORITY}.{query.name}") or b"")["defs"]["main"]
        answer = main["output"]["schema"].get("properties", {})
        if any(one["type"] == "array" for one in answer.values()):
            assert {"limit", "cursor"} <= set(main["parameters"]["properties"]), query.name
            assert "cursor" in answer, query.name


@pytest.fixture
async def ana(make_database: MakeDatabase, clock) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, str]]]:
    """Ana with three of everything, all created at the same moment, and the parameters of her URLs."""
    site = site_on(await make_database("openmeet"), clock, api_requests_per_minute=0, operators=("ana@example.org",))
    async with site.db.transaction() as tx:
        host, ben = await person(tx, "Ana"), await person(tx, "Ben")
        groups = [await group_by(tx, host, name=f"Group {number}") for number in range(3)]
        others = [await person(tx, f"Other {number}") for number in range(3)]
        events = [await event_by(tx, host, title=f"Event {number}") for number in range(3)]
        made = [
            await series.create(tx, host, Content(f"Series {number}"), Timing(pattern(FIRST, ZONE), None))
            for number in range(3)
        ]
        for number, other in enumerate(others):
            await administration.invite_by_link(tx, host, groups[0].slug, uses=1)
            await co_hosts.invite(tx, host, events[0].slug, f"host{number}@example.org")
            theirs = await event_by(tx, ben, title=f"Theirs {number}")
            await co_hosts.invite(tx, ben, theirs.slug, "ana@example.org")
            await attendance.answer(tx, other, events[0].slug, RsvpReply.GOING)
            await messages.write(tx, host, events[0].slug, f"Message {number}", ["going"])
            await safety.report(tx, host, ModeratedKind.PERSON, other.user_id, ReportReason.SPAM, "")
            await safety.mute(tx, host, Subject(ModeratedKind.PERSON, other.user_id))
        for reply in (RsvpReply.GOING, RsvpReply.DECLINED, RsvpReply.INTERESTED):
            mine = await attendance.answer(tx, host, theirs.slug, reply)
        for other in others:
            await safety.block(tx, host, other.user_id)
        for number in range(3):
            uri = f"at://did:plc:abc/community.lexicon.calendar.event/{number}"
            decision = FieldDecision("name", "Tea", "Coffee", "Cocoa", MergeReason.MANUAL_EDIT_IS_KEPT, MergeSide.OURS)
            await merge_decisions.store(tx, uri=uri, theirs_rev="r", ours_revision=1, decisions=(decision,))
            await merge_decisions.store(tx, uri=uri, theirs_rev=f"s{number}", ours_revision=1, decisions=(decision,))
            await merge_decisions.store(tx, uri=uri, theirs_rev=f"t{number}", ours_revision=1, decisions=(decision,))
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
        for number in range(3):
            # Blocked people cannot be followed. They are in a different list.
            followed = await person(tx, f"Followed {number}")
            await event_by(tx, followed, title=f"Followed {number}")
            await profiles.follow(tx, host, followed.user_id)
            await followed_dids.follow(tx, host, groups[0].slug, f"did:plc:{'abc'[number] * 24}")
            await api_tokens.make(tx, host, api_tokens.check(name=f"Token {number}", scopes=["read"], days=""))
            await saved_searches.save(tx, host, {"q": f"jazz{number}"})
            await webhooks.register(
                tx,
                host,
                Sealer([b"s" * 32]),
                url=f"https://hook.example/{number}",
                kinds=[WebhookEvent.EVENT],
                group_id=None,
            )
            await identity_queries.insert(
                tx,
                did(number + 5),
                host.user_id,
                IdentityKind.CONNECTED,
                handle=f"ana{number}.example",
                pds_url="https://pds.example",
                is_default=number == 0,
            )
            await backfill_progress.track(tx, did(number + 5))
            await flags.switch(tx, Flag.DETECTION, is_on=bool(number % 2), changed_by="Ana")
        daily = pattern(FIRST, ZONE, parse_rule("FREQ=DAILY;COUNT=3"))
        thrice = await series.create(tx, ben, Content("Thrice"), Timing(daily, None))
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
        for number in range(3):
            other = file.replace("Tea", f"Coffee {number}") + "END:VCALENDAR\r\n"
            subscribed = await client.post("/api/me/calendars", json={"ics": other, "name": f"Coffee {number}"})
            assert subscribed.status_code == 201, subscribed.text
        assert (len(arrived.json()["events"]), arrived.json()["cursor"]) == (3, None)
        yield (
            client,
            {"event": events[0].slug, "group": groups[0].slug, "series": made[0].slug, "theirs": theirs.slug}
            | {"attended": events[2].slug, "followed": made[1].slug, "thrice": thrice.slug}
            | {"import": arrived.json()["id"]},
        )


async def test_a_list_read_one_by_one_is_complete(ana: tuple[httpx.AsyncClient, dict[str, str]]) -> None:
    """The pages have the list's order, without duplicates or gaps, although all items were created at the same moment."""
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
        ("/api/my/people", "userIds"),
        ("/api/groups/{group}/follows", "dids"),
        ("/api/tokens", "tokens"),
        ("/api/searches", "searches"),
        ("/api/webhooks", "webhooks"),
        ("/api/me/calendars", "calendars"),
        ("/api/me/reading", "readings"),
        ("/api/sync/flags/changes", "changes"),
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
