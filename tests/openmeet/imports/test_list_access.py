"""The imported guest list of an event is for its hosts, not for everybody who may edit the event."""

from groundwork.clock import HandClock
from openmeet.domain.events import co_hosts, group_of_event
from openmeet.domain.events.actions import create
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.imports import people, queries
from openmeet.domain.imports.model import ImportKind, Medium
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import Site, api_session, details, signed_in, site_on
from tests.worker_pool import WORKERS

LIST = "Name,E-mail\nEve,eve@example.org\n"
MORE = "Name,E-mail\nFay,fay@example.org\n"


async def caller_of(site: Site, email: str, name: str) -> tuple[Caller, dict[str, str]]:
    async with site.browser() as browser:
        headers = await api_session(browser, email, name)
    async with site.db.reader() as reader:
        row = await reader.fetch_one("select id from users where email = :email", email=email)
    assert row is not None
    return Caller(row["id"], name), headers


async def stages(site: Site, event_id: str) -> list[tuple[str, str]]:
    async with site.db.reader() as reader:
        rows = await reader.fetch(
            "select email, stage from imported_contacts where target = :id order by email", id=event_id
        )
    return [(row["email"], row["stage"]) for row in rows]


async def upload(site: Site, who: Caller, event_id: str, text: str) -> str:
    async with site.db.transaction() as tx:
        return await queries.insert(
            tx, who.user_id, ImportKind.GUESTS, Medium.CSV, target=event_id, source="g.csv", content=text.encode()
        )


async def test_group_owners_who_do_not_host_an_event_have_no_access_to_its_list(
    make_sqlite: MakeDatabase, clock: HandClock
) -> None:
    """They may edit the event. On the pages and in the API, they can neither read the list, nor add to it, nor send its
    invitations. As co-hosts they can do all of it.
    """
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    olga, headers = await caller_of(site, "olga@example.org", "Olga")
    async with site.db.transaction() as tx:
        group = await group_by(tx, olga)
        mo = await add_member(tx, group, olga, "Mo", GroupRole.MODERATOR)
        event = await create(tx, mo, details(), group=group_of_event.as_group_of_event(group))
    await people.add_to_list(site.db, WORKERS, mo, await upload(site, mo, event.id, LIST))
    # As if Olga had been a co-host at that time.
    earlier = await upload(site, olga, event.id, MORE)
    path = f"/import/lists/guests/{event.slug}"
    async with signed_in(site, olga.user_id) as browser:
        assert (await browser.get(f"/events/{event.slug}/edit")).status_code == 200
        for refused in (
            await browser.get(path),
            await browser.post(path, data={"act": "preview"}),
            await browser.post(path, data={"act": "send", "expected": "1"}),
            await browser.get("/import", params={"event": event.slug}),
            await browser.post("/import", data={"event": event.slug}, files={"file": ("g.csv", MORE.encode())}),
            await browser.get(f"/import/{earlier}"),
            await browser.post(f"/import/{earlier}", data={"act": "keep"}),
            await browser.post("/api/imports", json={"csv": MORE, "event": event.slug}, headers=headers),
            await browser.get(f"/api/imports/{earlier}", headers=headers),
            await browser.post(f"/api/imports/{earlier}/confirm", json={}, headers=headers),
            await browser.post(f"/api/imports/{earlier}/invitations", json={"expectedPeople": 1}, headers=headers),
        ):
            assert (refused.status_code, "eve@" in refused.text) == (403, False), refused.request.url
    assert await stages(site, event.id) == [("eve@example.org", "kept")]
    async with signed_in(site, mo.user_id) as browser:
        assert "eve@example.org" in (await browser.get(path)).text

    async with site.db.transaction() as tx:
        invitation = await co_hosts.invite(tx, mo, event.slug, "olga@example.org")
        await co_hosts.accept(tx, olga, invitation.id)
    async with signed_in(site, olga.user_id) as browser:
        assert "eve@example.org" in (await browser.get(path)).text
        assert (await browser.post(f"/import/{earlier}", data={"act": "keep"})).status_code == 303
        sent = await browser.post(path, data={"act": "send", "expected": "2"})
        assert sent.status_code == 303
    assert await stages(site, event.id) == [("eve@example.org", "invited"), ("fay@example.org", "invited")]
