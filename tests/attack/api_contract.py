"""Runs a generic OpenAPI tester: it reads the OpenAPI document and calls every operation with valid and invalid input.

No operation may fail with a server error, and every response must be one that the document declares: status, type,
headers, schema. Two of three requests use paths of things that exist. The caller is their host, another person or
anonymous.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CheckContext, load_all_checks, not_a_server_error
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.specs.openapi import checks as conformance

from groundwork.blobstore.disk import DiskBlobStore
from groundwork.clock import DAY, HOUR, Instant, SystemClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.http.client import HttpClient
from groundwork.http.reach import PUBLIC
from groundwork.http.server import serve
from groundwork.sealing import Sealer
from openmeet.domain.calendars.fetch import CalendarFetcher
from openmeet.domain.imports import people
from openmeet.domain.imports.model import PersonId
from openmeet.i18n.formatting import iso
from openmeet.web.photos.api import PhotoInput
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.places.world import open_world
from tests.openmeet.site_under_test import CODE_KEY, Site, api_session, change_services, site_on


def does_not_break(context: CheckContext, response: Response, case: Case) -> bool | None:
    """Accept any declared response. A 503 is accepted too: this site must not make requests to other machines, so it
    cannot fetch external calendars.
    """
    return (
        None if response.status_code == httpx.codes.SERVICE_UNAVAILABLE else not_a_server_error(context, response, case)
    )


CHECKS = [
    does_not_break,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_headers_conformance,
    conformance.response_schema_conformance,
]

# Operations for services and moderators, and operations on records that this site does not have.
_NOT_OURS = ("/api/sync", "/api/moderation", "/api/operating", "/api/integration")

# Operations that need something that this site does not have: a homeserver, a blob store, or a message that somebody
# else may remove.
_NOT_HERE = (
    "/api/me/matrix",
    "/api/me/matrix/rooms",
    "/api/chat/rooms/{room}/matrix",
    "/api/chat/rooms/{room}/matrix/guests",
    "/api/chat/pictures/{key}/{size}",
    "/api/chat/messages/{id}/removal",
)

# Operations that delete something run last, and those that end the caller's session at the very end.
_ORDER = ("GET", "POST", "PUT", "PATCH", "DELETE")

_EVENT = {
    "title": "Board games",
    "startsLocal": "2031-07-04T18:00",
    "endsLocal": "2031-07-04T20:00",
    "timeZone": "Europe/Berlin",
}
_SERIES = {**_EVENT, "recurrence": "FREQ=WEEKLY"}
_DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
_CALENDAR = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"
_GROUP = {"name": "Board gamers", "timeZone": "Europe/Berlin"}


@dataclass(frozen=True)
class Known:
    """What exists on the site: callers, the second of whom hosts everything, and path parameters by the beginning of
    the path.
    """

    callers: tuple[dict[str, str], ...]
    addresses: dict[str, dict[str, str]]

    def of(self, path: str) -> dict[str, str]:
        """The parameter values for this path."""
        found: dict[str, str] = {}
        for beginning in sorted(self.addresses, key=len):
            if path.startswith(beginning):
                found |= self.addresses[beginning]
        return {name: value for name, value in found.items() if f"{{{name}}}" in path}


async def add_content(site: Site) -> Known:
    """Add two people, an event, a series and a group of one of them, and one of everything else that has its own path."""
    async with site.db.reader() as reader:
        tomorrow = iso(Instant(reader.now + DAY))
        # To the minute: forms and API take no fractions of a second, which the system clock has.
        starts, ends = (iso(Instant(reader.now + hours * HOUR))[:16] for hours in (-1, 1))
    async with site.browser() as browser:
        ada = await api_session(browser, "ada@example.org", "Ada")
        ben = await api_session(browser, "ben@example.org", "Ben")

        async def made(
            path: str, body: dict[str, Any], who: dict[str, str] = ada, *, method: str = "POST"
        ) -> dict[str, Any]:
            answer = await browser.request(method, path, json=body, headers=who)
            assert answer.is_success, (path, answer.text)
            found: dict[str, Any] = answer.json() if answer.content else {}
            return found

        async def listed(path: str, who: dict[str, str] = ada) -> dict[str, Any]:
            """The first element of a list response, whose envelope contains exactly one list."""
            answer = (await browser.get(path, headers=who)).json()
            first: dict[str, Any] = next(value for value in answer.values() if isinstance(value, list))[0]
            return first

        event = await made("/api/events", _EVENT)
        series = await made("/api/series", _SERIES)
        group = await made("/api/groups", _GROUP)
        at_event, at_group = f"/api/events/{event['slug']}", f"/api/groups/{group['slug']}"
        dates = (await browser.get(f"/api/series/{series['slug']}/dates")).json()["dates"]
        me = await browser.get("/api/me", headers=ben)
        await made(f"{at_group}/membership", {}, ben, method="PUT")
        for one in (ben, ada):
            await made(f"{at_event}/answer", {"reply": "going"}, one, method="PUT")
        link = await made(f"{at_group}/invitations", {})
        room = await made("/api/chat/rooms", {"kind": "event", "event": event["slug"]})
        poll = {"clientId": "first", "text": "Which game?", "poll": {"choices": ["Chess", "Go"]}}
        question = await made(f"/api/chat/rooms/{room['id']}/messages", poll)
        mute = {"kind": "mute", "reason": "Too loud."}
        await made(f"/api/chat/rooms/{room['id']}/sanctions/{me.json()['id']}", mute, method="PUT")
        announced = await made(f"{at_group}/announcements", {"text": "Welcome."})
        await made(f"{at_group}/follows", {"did": _DID})
        sent = await made(f"{at_event}/messages", {"text": "Bring dice.", "addressees": ["going"], "sendAt": tomorrow})
        beside = await made(f"{at_event}/co-hosts", {"whom": "ben@example.org"})
        asked = await listed("/api/my/co-hosting", ben)
        # Nothing is sent: the message is only queued, and no delivery runs here. Afterwards the site makes no outgoing
        # calls, as before.
        http = HttpClient(PUBLIC)
        change_services(site.app, calendar_fetcher=CalendarFetcher(http, Sealer([b"s" * 32])))
        hook = await made("/api/webhooks", {"url": "https://hooks.example.org/in", "kinds": ["event.changed"]})
        await made(f"/api/webhooks/{hook['id']}/ping", {})
        delivery = await listed(f"/api/webhooks/{hook['id']}/deliveries")
        change_services(site.app, calendar_fetcher=None, places=open_world())
        await http.close()
        search = await made("/api/searches", {"query": "q=chess"})
        calendar = await made("/api/me/calendars", {"ics": _CALENDAR, "name": "Choir"})
        token = await made("/api/tokens", {"name": "A program", "scopes": ["read"]})
        guests = await made("/api/imports", {"csv": "name,email\nCleo,cleo@example.org\n", "event": event["slug"]})
        await made(f"/api/imports/{guests['id']}/confirm", {})
        await made(f"/api/imports/{guests['id']}/invitations", {"expectedPeople": 1})
        running = {"title": "Tea", "startsLocal": starts, "endsLocal": ends, "timeZone": "UTC", "allowPast": True}
        tea = await made("/api/events", running)
        at_tea = f"/api/events/{tea['slug']}"
        visit = await made(f"{at_tea}/answer", {"reply": "going"}, method="PUT")
        await made(f"{at_tea}/check-ins", {"attendanceId": visit["id"]})
        proof = await made(f"{at_tea}/attendance-proof", {})
        photo = await made(f"{at_tea}/photos", PhotoInput.EXAMPLE)
        attending = await listed(f"{at_event}/attendances")
    async with site.db.reader() as reader:
        (invited,) = await reader.fetch("select id from imported_contacts")
    return Known(
        ({}, ada, ada, ada, ben),
        {
            "/api/events": {"slug": event["slug"], "attendanceId": attending["id"]},
            "/api/events/{slug}/messages": {"id": sent["id"]},
            "/api/events/{slug}/co-hosts": {"id": beside["id"]},
            "/api/co-hosting": {"token": asked["token"]},
            "/api/series": {"slug": series["slug"], "originalDate": dates[1]["originalDate"]},
            "/api/groups": {"slug": group["slug"], "userId": me.json()["id"], "did": _DID},
            "/api/groups/{slug}/invitations": {"invitation": link["id"]},
            "/api/groups/{slug}/announcements": {"announcement": announced["id"]},
            "/api/group-invitations": {"token": link["token"]},
            "/api/people": {"userId": (await _id_of(site, "Ada"))},
            "/api/me/blocks": {"userId": me.json()["id"]},
            "/api/me/mutes/people": {"subjectId": me.json()["id"]},
            "/api/me/mutes/groups": {"subjectId": group["id"]},
            "/api/me/calendars": {"id": calendar["id"]},
            "/api/webhooks": {"id": hook["id"], "deliveryId": delivery["id"]},
            "/api/searches": {"id": search["id"]},
            "/api/places": {"number": "2950159"},
            "/api/tokens": {"id": token["id"]},
            "/api/chat/rooms": {"room": room["id"], "person": me.json()["id"]},
            "/api/chat/messages": {"id": question["id"], "emoji": "👍"},
            "/api/imports": {"id": guests["id"]},
            "/api/events/{slug}/attendance-proof": {"slug": tea["slug"], "proofId": proof["proofId"]},
            "/api/events/{slug}/photos": {"slug": tea["slug"]},
            "/api/photos": {"photoId": photo["id"], "size": "small"},
            "/api/attendance-proofs": {"token": proof["url"].rpartition("/")[2]},
            "/api/arrivals": {"token": people.token_of(CODE_KEY, PersonId(invited["id"]))},
        },
    )


async def _id_of(site: Site, name: str) -> str:
    async with site.db.reader() as reader:
        (row,) = await reader.fetch("select id from users where display_name = :name", name=name)
        return str(row["id"])


async def hold(site: Site, *, first_seed: int, examples: int) -> int:
    """Call every operation ``examples`` times and return the number of operations. Raises the first wrong response."""
    known = await add_content(site)
    async with offline_publishing(site.clock) as publishing:
        change_services(site.app, publishing=publishing)
        serving = await serve(site.app, "127.0.0.1", 0)
        try:
            return await asyncio.to_thread(_ask_all, serving.url, known, first_seed, examples)
        finally:
            await serving.stop()


async def soak(folder: Path, first_seed: int, examples: int) -> None:
    """The same test for a long time, on a database of its own."""
    url = f"sqlite:///{folder / 'contract.db'}"
    clock = SystemClock()
    await migrate(url, "", "openmeet")
    db = await open_database(url, schema="", clock=clock)
    try:
        site = site_on(db, clock, pictures=DiskBlobStore(folder / "pictures"), api_requests_per_minute=0)
        await hold(site, first_seed=first_seed, examples=examples)
    finally:
        await db.close()


def _ask_all(url: str, known: Known, first_seed: int, examples: int) -> int:
    load_all_checks()
    with httpx.Client(base_url=url, timeout=60) as client:
        schema = schemathesis.openapi.from_dict(client.get("/api/openapi.json").json())
        found = sorted(_operations(schema), key=_last_what_ends_most)
        wrong: list[str] = []
        for operation in found:
            if operation.method.upper() == "GET":
                wrong += _plainly(client, operation, known)
        for number, operation in enumerate(found):
            if operation.method.upper() != "GET" and operation.path != "/api/session":
                wrong += _plainly(client, operation, known)
            try:
                _ask(client, operation, known, first_seed + number, examples)
            except* Failure as failures:
                wrong.append(f"{operation.label}, seed {first_seed + number}\n{failures.message}")
        assert not wrong, "\n\n".join(wrong)
    return len(found)


def _last_what_ends_most(operation: Any) -> tuple[bool, int, int]:
    """Sort key that puts deletions last, nested resources before their parents, and the session at the very end."""
    return operation.path == "/api/session", _ORDER.index(operation.method.upper()), -operation.path.count("/")


def _plainly(client: httpx.Client, operation: Any, known: Known) -> list[str]:
    """Call the operation as the host, on existing things, and return what is wrong with the response.

    Only reads are sure to succeed; changes may violate a rule. Operations that need a body or a query are left to the
    tool.
    """
    there = known.of(operation.path)
    needs = [*operation.query, *operation.body]
    is_absent = operation.path.startswith(_NOT_OURS) or operation.path in _NOT_HERE
    if is_absent or any(one.is_required for one in needs):
        return []
    if operation.path.count("{") != len(there):
        return [f"{operation.label}: no example for it"]
    case = operation.Case(path_parameters=there, method=operation.method)
    sent = case.as_transport_kwargs(base_url=str(client.base_url))
    sent.pop("cookies", None)
    answer = client.request(**{**sent, "headers": known.callers[1]})
    if operation.method.upper() == "GET" and not answer.is_success:
        return [f"{operation.label}: {answer.status_code} about what is there: {answer.text[:300]}"]
    wrong: list[str] = []
    try:
        case.validate_response(answer, checks=CHECKS)
    except* Failure as failures:
        wrong.append(f"{operation.label}, plainly\n{failures.message}: {[str(one) for one in failures.exceptions]}")
    return wrong


def _operations(schema: Any) -> Iterator[Any]:
    for result in schema.get_all_operations():
        yield result.ok()


def _ask(client: httpx.Client, operation: Any, known: Known, one_seed: int, examples: int) -> None:
    there = known.of(operation.path)
    cases = st.one_of(
        operation.as_strategy(GenerationMode.POSITIVE, path_parameters=there or None),
        operation.as_strategy(GenerationMode.POSITIVE),
        operation.as_strategy(GenerationMode.NEGATIVE, path_parameters=there or None),
    )

    @seed(one_seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(case=cases, caller=st.sampled_from(known.callers))
    def ask(case: Case, caller: dict[str, str]) -> None:
        sent = case.as_transport_kwargs(base_url=str(client.base_url))
        sent.pop("cookies", None)
        if isinstance(sent.get("data"), bytes | str):
            sent["content"] = sent.pop("data")
        # Made-up credentials would be refused before anything else is checked.
        headers = {name: text for name, text in sent.pop("headers").items() if name.lower() != "authorization"}
        try:
            answer = client.request(**sent, headers={**headers, **caller})
        except (httpx.LocalProtocolError, UnicodeEncodeError):
            reject()  # a header that no client can send
        case.validate_response(answer, checks=CHECKS)

    ask()
