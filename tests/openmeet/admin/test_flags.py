"""Feature flags on the operator page and in the API: operators switch them, with a reason, for one site at a time."""

from html import unescape
from http import HTTPStatus

import httpx

from openmeet.domain.api_tokens import service_tokens
from openmeet.domain.api_tokens.scopes import ServiceScope
from openmeet.domain.identities import actions as identities
from openmeet.feature_flags import flags
from openmeet.feature_flags.flags import DEFAULTS, WHAT, Flag, FlagChange
from openmeet.outbox.kinds import JobKind
from tests.openmeet.admin.conftest import OPERATOR, Bench
from tests.openmeet.ingestion.network import did
from tests.openmeet.site_under_test import h1_of

ON_BY_DEFAULT = {flag for flag, is_on in DEFAULTS.items() if is_on}

PAGE = "/operating/flags"


async def switch(browser: httpx.AsyncClient, flag: Flag, to: str, why: str = "A flood of spam") -> httpx.Response:
    return await browser.post(f"{PAGE}/{flag.value}", data={"to": to, "why": why})


async def changes(bench: Bench) -> list[FlagChange]:
    async with bench.db.reader() as reader:
        return list(await flags.changes(reader))


async def service(bench: Bench, *may: ServiceScope) -> dict[str, str]:
    async with bench.db.transaction() as tx:
        _, token = await service_tokens.make(tx, name="Watchdog", scopes=may)
    return {"authorization": f"Bearer {token}"}


async def test_each_flag_is_switched_on_its_page(bench: Bench):
    """Before a switch the page says what will happen. Afterwards only that flag has changed, and the list shows who
    changed it and why.
    """
    otherwise: set[Flag] = set()
    for flag in Flag:
        to = "off" if DEFAULTS[flag] else "on"
        before = await bench.client.get(f"{PAGE}/{flag.value}")
        assert h1_of(before.text) == f"Turn {to}: {flag.value}"
        why = f"A trial of {flag.value}"
        assert (await switch(bench.client, flag, to, why)).status_code == HTTPStatus.SEE_OTHER
        otherwise.add(flag)
        async with bench.db.reader() as reader:
            assert (await flags.switches(reader)).on == ON_BY_DEFAULT ^ otherwise
        change = (await changes(bench))[0]
        assert (change.flag, change.is_on, change.why) == (flag, to == "on", why)
        assert change.changed_by == f"Olga ({OPERATOR})", "the operator's name comes from the settings"
        bench.clock.turn(1)
    listed = unescape((await bench.client.get(PAGE)).text)
    for flag in Flag:
        for words in (WHAT[flag].message, f"A trial of {flag.value}", f"Olga ({OPERATOR})"):
            assert words in listed, words


async def test_a_second_click_does_not_switch_the_flag_back(bench: Bench):
    for _ in range(2):
        await switch(bench.client, Flag.EVENTS_OUT, "off")
    assert [one.is_on for one in await changes(bench)] == [False]
    assert "It was already like that." in (await bench.client.get(PAGE)).text


async def test_a_switch_without_a_reason_is_refused(bench: Bench):
    for why in ("", "  ", "w" * 201):
        refused = await switch(bench.client, Flag.EVENTS_OUT, "off", why)
        assert refused.status_code == HTTPStatus.BAD_REQUEST
        assert "Give a reason" in refused.text
        assert why.strip() in refused.text
    assert (await switch(bench.client, Flag.EVENTS_OUT, "sideways")).status_code == HTTPStatus.BAD_REQUEST
    assert await changes(bench) == []


async def test_switching_on_enqueues_the_reads_that_follow(bench: Bench):
    """Switching ingestion of events on again enqueues a read of every known person's repository, as the CLI command
    does.
    """
    async with bench.db.transaction() as tx:
        await identities.person_for_did(tx, did(7))
    await switch(bench.client, Flag.EVENTS_IN, "off")
    await switch(bench.client, Flag.EVENTS_IN, "on", "It is over")
    async with bench.db.reader() as reader:
        queued = await reader.fetch("select subject from outbox_jobs where kind = :kind", kind=JobKind.BACKFILL.value)
    assert did(7) in [row["subject"] for row in queued]


async def test_the_pages_do_not_exist_for_others(bench: Bench):
    for path in (PAGE, f"{PAGE}/events-in"):
        assert (await bench.stranger.get(path)).status_code == HTTPStatus.NOT_FOUND
    assert (await switch(bench.stranger, Flag.EVENTS_IN, "off")).status_code == HTTPStatus.NOT_FOUND
    assert (await bench.client.get(f"{PAGE}/of-tomorrow")).status_code == HTTPStatus.NOT_FOUND
    assert await changes(bench) == []


async def test_a_service_switches_flags_and_reads_changes(bench: Bench):
    """A credential with the scope for reading flags cannot switch them. A credential with the scope for switching has
    to give a reason, and the log names the credential.
    """
    seeing, switching = await service(bench, ServiceScope.STATUS), await service(bench, ServiceScope.FLAGS)
    address, wanted = "/api/sync/flags/rsvps-out", {"isOn": False, "why": "The relay is ill"}
    assert (await bench.client.put(address, json=wanted, headers=seeing)).status_code == HTTPStatus.FORBIDDEN
    done = await bench.client.put(address, json=wanted, headers=switching)
    assert done.json() == {"name": "rsvps-out", "isOn": False, "isChanged": True}
    again = await bench.client.put(address, json=wanted, headers=switching)
    assert again.json()["isChanged"] is False
    silent = await bench.client.put(address, json={"isOn": True, "why": ""}, headers=switching)
    assert silent.status_code == HTTPStatus.BAD_REQUEST
    unknown = await bench.client.put("/api/sync/flags/of-tomorrow", json=wanted, headers=switching)
    assert unknown.status_code == HTTPStatus.NOT_FOUND
    listed = (await bench.client.get("/api/sync/flags", headers=seeing)).json()["flags"]
    assert {one["name"] for one in listed if one["isOn"]} == {flag.value for flag in ON_BY_DEFAULT - {Flag.RSVPS_OUT}}
    (change,) = (await bench.client.get("/api/sync/flags/changes", headers=seeing)).json()["changes"]
    assert (change["name"], change["isOn"], change["why"]) == ("rsvps-out", False, "The relay is ill")
    assert change["changedBy"] == "Watchdog (service)"
