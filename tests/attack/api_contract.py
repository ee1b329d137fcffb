"""A stranger's tool reads the OpenAPI document and asks every operation what it says it takes, and what it does not.

No operation may break, and every answer must be one that the document announces: status, type, headers, shape. Addresses lead to
things that exist in two of three questions, and the caller is their host, somebody else or nobody.
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

from groundwork.clock import SystemClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.http.server import serve
from tests.openmeet.site_under_test import Site, api_session, site_on


def does_not_break(context: CheckContext, response: Response, case: Case) -> bool | None:
    """503 is an announced answer: this site reads no calendars of others, which would lead out of the machine."""
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

# What takes things away comes last, a caller's session at the very end.
_ORDER = ("GET", "POST", "PUT", "PATCH", "DELETE")

_EVENT = {
    "title": "Board games",
    "startsLocal": "2031-07-04T18:00",
    "endsLocal": "2031-07-04T20:00",
    "timeZone": "Europe/Berlin",
}
_SERIES = {**_EVENT, "recurrence": "FREQ=WEEKLY"}
_GROUP = {"name": "Board gamers", "timeZone": "Europe/Berlin"}


@dataclass(frozen=True)
class Known:
    """What exists on the site: callers, and the parameters of addresses by their first word."""

    callers: tuple[dict[str, str], ...]
    addresses: dict[str, dict[str, str]]

    def of(self, path: str) -> dict[str, str]:
        """What stands for the parameters of this address."""
        known = self.addresses.get(path.split("/")[2], {})
        return {name: value for name, value in known.items() if f"{{{name}}}" in path}


async def furnish(site: Site) -> Known:
    """Two people; an event, a series and a group of one of them."""
    async with site.browser() as browser:
        ada = await api_session(browser, "ada@example.org", "Ada")
        ben = await api_session(browser, "ben@example.org", "Ben")

        async def made(path: str, body: dict[str, Any]) -> dict[str, Any]:
            answer = await browser.post(path, json=body, headers=ada)
            assert answer.status_code == 201, answer.text
            found: dict[str, Any] = answer.json()
            return found

        event = await made("/api/events", _EVENT)
        series = await made("/api/series", _SERIES)
        group = await made("/api/groups", _GROUP)
        dates = (await browser.get(f"/api/series/{series['slug']}/dates")).json()["dates"]
        me = (await browser.get("/api/me", headers=ben)).json()
        await browser.put(f"/api/groups/{group['slug']}/membership", json={}, headers=ben)
        link = (await browser.post(f"/api/groups/{group['slug']}/invitations", json={}, headers=ada)).json()
    return Known(
        ({}, ada, ada, ada, ben),
        {
            "events": {"slug": event["slug"]},
            "series": {"slug": series["slug"], "originalDate": dates[1]["originalDate"]},
            "groups": {"slug": group["slug"], "userId": me["id"]},
            "group-invitations": {"token": link["token"]},
        },
    )


async def hold(site: Site, *, first_seed: int, examples: int) -> int:
    """Ask every operation ``examples`` times; the number of operations. Raises what the first wrong answer is."""
    known = await furnish(site)
    serving = await serve(site.app, "127.0.0.1", 0)
    try:
        return await asyncio.to_thread(_ask_all, serving.url, known, first_seed, examples)
    finally:
        await serving.stop()


async def soak(folder: Path, first_seed: int, examples: int) -> None:
    """The same for long, on a database of its own."""
    url = f"sqlite:///{folder / 'contract.db'}"
    clock = SystemClock()
    await migrate(url, "", "openmeet")
    db = await open_database(url, schema="", clock=clock)
    try:
        await hold(site_on(db, clock, api_requests_per_minute=0), first_seed=first_seed, examples=examples)
    finally:
        await db.close()


def _ask_all(url: str, known: Known, first_seed: int, examples: int) -> int:
    load_all_checks()
    with httpx.Client(base_url=url, timeout=60) as client:
        schema = schemathesis.openapi.from_dict(client.get("/api/openapi.json").json())
        found = sorted(
            _operations(schema), key=lambda one: (one.path == "/api/session", _ORDER.index(one.method.upper()))
        )
        wrong: list[str] = []
        for number, operation in enumerate(found):
            try:
                _ask(client, operation, known, first_seed + number, examples)
            except* Failure as failures:
                wrong.append(f"{operation.label}, seed {first_seed + number}\n{failures.message}")
        assert not wrong, "\n\n".join(wrong)
    return len(found)


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
        # Made-up credentials would be refused before anything else is looked at.
        headers = {name: text for name, text in sent.pop("headers").items() if name.lower() != "authorization"}
        try:
            answer = client.request(**sent, headers={**headers, **caller})
        except (httpx.LocalProtocolError, UnicodeEncodeError):
            reject()  # a header that no client can send
        case.validate_response(answer, checks=CHECKS)

    ask()
