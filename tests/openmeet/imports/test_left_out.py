"""An address that gets no more invitations today does not keep the other people on a list from being invited."""

import html

from groundwork.clock import DAY, HandClock
from openmeet.domain.imports import people, queries
from openmeet.domain.imports.model import ImportId, ImportKind, Medium
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, api_session, event_by, person, signed_in, site_on
from tests.worker_pool import WORKERS

OFTEN_INVITED = "eve@example.org"
LIST = f"Name,E-mail\nEve,{OFTEN_INVITED}\nBen,ben@example.org\n"


async def import_list(site: Site, host: Caller, event_id: str) -> ImportId:
    async with site.db.transaction() as tx:
        import_id = await queries.insert(
            tx, host.user_id, ImportKind.GUESTS, Medium.CSV, target=event_id, source="g.csv", content=LIST.encode()
        )
    await people.add_to_list(site.db, WORKERS, host, import_id)
    return import_id


async def stages(site: Site, event_id: str) -> dict[str, str]:
    async with site.db.reader() as reader:
        rows = await reader.fetch("select email, stage from imported_contacts where target = :id", id=event_id)
    return {row["email"]: row["stage"] for row in rows}


async def test_one_often_invited_address_is_left_out_and_named(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The others are invited. The address stays on the list and can be invited the next day."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, mona = await person(tx, "Ana"), await person(tx, "Mona")
        events = [await event_by(tx, ana, title=f"Walk {number}") for number in range(10)]
        picnic = await event_by(tx, mona, title="Picnic")
    async with signed_in(site, ana.user_id) as browser:
        for event in events:
            sent = await browser.post(f"/events/{event.slug}/attendees/invite", data={"email": OFTEN_INVITED})
            assert sent.status_code == 303
    await import_list(site, mona, picnic.id)
    async with signed_in(site, mona.user_id) as browser:
        path = f"/import/lists/guests/{picnic.slug}"
        sent = await browser.post(path, data={"act": "send", "expected": "2"})
        assert (sent.status_code, OFTEN_INVITED in sent.headers["location"]) == (303, False)
        note = html.unescape((await browser.get(sent.headers["location"])).text).partition('class="note warn"')[2]
        note = note.partition("</div>")[0]
        assert "has already got 10 invitations today" in note
        assert (OFTEN_INVITED in note, "ben@example.org" in note) == (True, False)
        assert 'class="note warn"' not in (await browser.get(path)).text
        assert await stages(site, picnic.id) == {OFTEN_INVITED: "kept", "ben@example.org": "invited"}
        clock.turn(DAY)
        sent = await browser.post(path, data={"act": "send", "expected": "1"})
    assert await stages(site, picnic.id) == {OFTEN_INVITED: "invited", "ben@example.org": "invited"}


async def test_the_api_lists_the_addresses_that_were_left_out(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        headers = await api_session(browser, "ana@example.org", "Ana")
        async with site.db.transaction() as tx:
            row = await tx.fetch_one("select id from users where email = 'ana@example.org'")
            assert row is not None
            ana = Caller(row["id"], "Ana")
            *events, picnic = [await event_by(tx, ana, title=f"Walk {number}") for number in range(11)]
        for event in events:
            attendees = f"/api/events/{event.slug}/attendances"
            sent = await browser.post(attendees, json={"email": OFTEN_INVITED}, headers=headers)
            assert sent.status_code == 201, sent.text
        import_id = await import_list(site, ana, picnic.id)
        invitations = f"/api/imports/{import_id}/invitations"
        sent = await browser.post(invitations, json={"expectedPeople": 2}, headers=headers)
        assert sent.json() == {"people": 1, "leftOut": [OFTEN_INVITED]}
