"""Proofs of attendance through the whole site: pages, the signed file, the API, and attacks on them."""

import re
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path

import httpx
import pytest

from groundwork.clock import HOUR, SECOND, HandClock
from openmeet.domain.attendance import actions, host_decisions, proof_keys
from openmeet.domain.attendance.model import Attendance, RsvpReply
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import Event
from openmeet.domain.identities import queries as identities
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.media.pictures import Picture
from openmeet.domain.users.model import Caller
from openmeet.web.check_in.proof_pages import KEYS_PATH, PROOFS_PER_DAY
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site, api_session, event_by, person, signed_in, site_on
from tests.visible_text import visible_text

# The clock of the tests is at 13:00 in Berlin on this day.
TODAY = {"starts": "2026-03-01T12:00", "ends": "2026-03-01T15:00"}
BEN = "Ben <b>bold</b>"


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


@dataclass(frozen=True)
class Visit:
    """An event with a host and a guest who was checked in."""

    host: Caller
    guest: Caller
    event: Event
    rsvp: Attendance

    @property
    def path(self) -> str:
        return f"/events/{self.event.slug}/attendance-proof"


async def visit(site: Site, **typed: str) -> Visit:
    async with site.db.transaction() as tx:
        host, guest = await person(tx, "Ana"), await person(tx, "Ben")
        await tx.execute("update users set display_name = :name where id = :id", name=BEN, id=guest.user_id)
        event = await event_by(tx, host, **TODAY | typed)
        rsvp = await actions.answer(tx, guest, event.slug, RsvpReply.GOING)
        await host_decisions.check_in(tx, host, event.slug, rsvp.id)
    return Visit(host, guest, event, rsvp)


async def address_on(browser: httpx.AsyncClient, path: str) -> str:
    """The path of the proof that the page of its owner shows."""
    (address,) = re.findall(r'id="share" value="([^"]+)"', (await browser.get(path)).text)
    assert address.startswith(ORIGIN)
    return str(address).removeprefix(ORIGIN)


async def made(site: Site, seen: Visit) -> str:
    async with signed_in(site, seen.guest.user_id) as browser:
        assert (await browser.post(seen.path, data={"shown_as": "name"})).status_code == 303
        return await address_on(browser, seen.path)


async def test_a_guest_makes_shows_and_withdraws_a_proof(site: Site) -> None:
    seen = await visit(site, title="Tea <i>time</i>")
    async with signed_in(site, seen.guest.user_id) as browser, site.browser() as reader:
        for page in ("", "/ticket"):
            assert f'href="{seen.path}"' in (await browser.get(f"/events/{seen.event.slug}{page}")).text
        assert "Make a proof" in (await browser.get(seen.path)).text
        await browser.post(seen.path, data={"shown_as": "name"})
        first = await address_on(browser, seen.path)
        shown = await reader.get(first)
        text = unescape(visible_text(shown.text))
        assert f"{BEN} was at Tea <i>time</i>" in text
        assert "Hosted by Ana" in text
        assert "Town library" not in shown.text
        assert "<b>bold" not in shown.text
        assert "<i>time" not in shown.text
        assert (shown.headers["cache-control"], shown.headers["referrer-policy"]) == ("no-store", "no-referrer")
        assert "noindex" in shown.headers["x-robots-tag"]
        # The secret address is not passed on to other pages.
        assert first not in re.sub(r'href="[^"]+\.jwt"', "", shown.text)
        (replaces,) = re.findall(r'name="replaces" value="([^"]+)"', (await browser.get(seen.path)).text)
        sent = [await browser.post(seen.path, data={"shown_as": "name", "replaces": replaces}) for _ in range(2)]
        # Only the first of the two has replaced anything.
        assert ["proof_renewed" in one.headers["set-cookie"] for one in sent] == [True, False]
        second = await address_on(browser, seen.path)
        assert [(await reader.get(one)).status_code for one in (first, second)] == [410, 200]
        (proof,) = re.findall(r'name="proof" value="([^"]+)"', (await browser.get(seen.path)).text)
        await browser.post(f"{seen.path}/withdraw", data={"proof": proof})
        gone = await reader.get(second)
        assert (gone.status_code, "This proof was withdrawn" in gone.text) == (410, True)
        assert gone.headers["cache-control"] == "no-store"
        for secret in ("Ben", "Tea", "Ana"):
            assert secret not in visible_text(gone.text)
        assert (await reader.get(f"{second}.jwt")).status_code == 410


async def test_the_list_of_proofs_shows_their_links_and_withdraws_them(site: Site) -> None:
    seen = await visit(site)
    list_path = "/settings/attendance-proofs"
    async with signed_in(site, seen.guest.user_id) as browser, signed_in(site, seen.host.user_id) as host:
        for path in ("/settings", "/my/events?which=past"):
            assert f'href="{list_path}"' in (await browser.get(path)).text
        assert "No proofs yet" in (await browser.get(list_path)).text
        await browser.post(seen.path, data={"shown_as": "name"})
        address = await address_on(browser, seen.path)
        shown = await browser.get(list_path)
        assert (shown.headers["cache-control"], "1 proof" in (await browser.get("/settings")).text) == (
            "no-store",
            True,
        )
        assert f'href="{ORIGIN}{address}"' in shown.text
        assert "Board games Sunday 1 March" in unescape(visible_text(shown.text))
        assert f"Valid Shows {BEN}" in unescape(visible_text(shown.text))
        assert address not in (await host.get(list_path)).text
        async with site.db.transaction() as tx:
            await tx.execute("update events set deleted_at = 1 where id = :id", id=seen.event.id)
        # Its page is gone, but the proof can still be withdrawn.
        gone = (await browser.get(list_path)).text
        assert "Board games" not in gone
        assert "no longer confirm this attendance" in gone
        (proof,) = re.findall(r'name="proof" value="([^"]+)"', gone)
        sent = await browser.post(f"{seen.path}/withdraw", data={"proof": proof, "next": list_path})
        assert sent.headers["location"] == list_path
        assert "No proofs yet" in (await browser.get(list_path)).text


async def test_files_of_a_revoked_key_cannot_be_verified(site: Site, clock: HandClock) -> None:
    """The key set lists the key as revoked, and the pages of the proof say that its earlier files are not valid."""
    seen = await visit(site)
    address = await made(site, seen)
    warning = "Signed files from before Sunday 1 March"
    async with site.browser() as reader, signed_in(site, seen.guest.user_id) as browser:
        before = (await reader.get(f"{address}.jwt")).text
        (key,) = (await reader.get(KEYS_PATH)).json()["keys"]
        for who, path in ((reader, address), (browser, seen.path)):
            assert warning not in unescape(visible_text((await who.get(path)).text))
        clock.turn(HOUR)
        async with site.db.transaction() as tx:
            (signing,) = await proof_keys.all_keys(tx)
            await proof_keys.revoke(tx, CODE_KEY, signing)
            revoked_at = tx.now // SECOND
        with pytest.raises(Exception, match=r"(?i)kid|key"):
            await verified(reader, before)
        assert (await reader.get(KEYS_PATH)).json()["revoked"] == [{"kid": key["kid"], "revoked_at": revoked_at}]
        for who, path in ((reader, address), (browser, seen.path)):
            assert warning in unescape(visible_text((await who.get(path)).text))
        assert (await verified(reader, (await reader.get(f"{address}.jwt")).text))["iss"] == ORIGIN


async def test_a_proof_ends_with_the_check_in(site: Site) -> None:
    seen = await visit(site)
    address = await made(site, seen)
    async with site.db.transaction() as tx:
        await host_decisions.undo_check_in(tx, seen.host, seen.event.slug, seen.rsvp.id)
    async with site.browser() as reader, signed_in(site, seen.guest.user_id) as browser:
        gone = await reader.get(address)
        assert (gone.status_code, "no longer confirm this attendance" in gone.text) == (410, True)
        page = await browser.get(seen.path)
        assert "once a host has checked you in" in page.text
        assert "Withdraw the proof" in page.text
        refused = await browser.post(seen.path, data={"shown_as": "name"})
        assert refused.status_code == 422
        assert seen.path not in (await browser.get(f"/events/{seen.event.slug}/ticket")).text


async def test_there_are_no_proofs_of_private_events(site: Site) -> None:
    seen = await visit(site)
    async with site.db.transaction() as tx:
        await tx.execute("update events set visibility = 'private' where id = :id", id=seen.event.id)
    async with signed_in(site, seen.guest.user_id) as browser:
        assert "no proofs for private events" in (await browser.get(seen.path)).text
        assert (await browser.post(seen.path, data={"shown_as": "name"})).status_code == 422


async def test_an_unlisted_event_is_named_but_not_linked(site: Site) -> None:
    seen = await visit(site, visibility="unlisted")
    address = await made(site, seen)
    async with site.browser() as reader:
        page = (await reader.get(address)).text
        claims = await verified(reader, (await reader.get(f"{address}.jwt")).text)
    assert seen.event.title in page
    assert seen.event.slug not in page + str(claims)


async def test_a_proof_by_account_names_the_account_alone(site: Site) -> None:
    seen, did = await visit(site), "did:plc:abcdefghijklmnopqrstuvwx"
    async with site.db.transaction() as tx:
        await identities.insert(
            tx,
            did,
            seen.guest.user_id,
            IdentityKind.CONNECTED,
            handle="guest.example",
            pds_url="https://pds.example",
            is_default=True,
        )
    async with signed_in(site, seen.guest.user_id) as browser, site.browser() as reader:
        assert "@guest.example" in (await browser.get(seen.path)).text
        await browser.post(seen.path, data={"shown_as": "account"})
        address = await address_on(browser, seen.path)
        page = (await reader.get(address)).text
        claims = await verified(reader, (await reader.get(f"{address}.jwt")).text)
        assert (await browser.post(seen.path, data={"shown_as": "everything"})).status_code == 400
        assert "can see that <strong>@guest.example</strong> was there" in (await browser.get(seen.path)).text
        async with site.db.transaction() as tx:
            await tx.execute("delete from identities where did = :did", did=did)
        own = (await browser.get(seen.path)).text
        assert "The account that it shows is no longer connected" in own
        assert ("Make a new link" in own, "can see that" in own) == (True, False)
    assert ("@guest.example was at" in page, did in page, "Ben" in page) == (True, True, False)
    assert (claims["sub"], claims["preferred_username"], "name" in claims) == (did, "guest.example", False)


async def test_the_page_says_that_a_proof_ends_with_an_event_that_is_removed(site: Site) -> None:
    seen = await visit(site, remove_after="week")
    await made(site, seen)
    async with signed_in(site, seen.guest.user_id) as browser:
        assert "The event will be removed on Sunday 8 March" in (await browser.get(seen.path)).text


async def test_a_proof_has_the_tone_of_its_event(site: Site) -> None:
    """That of its uploaded picture, as on the page of the event."""
    seen = await visit(site)
    address = await made(site, seen)
    async with site.browser() as reader:
        for tone in (2, 5):
            picture = Picture("p" * 32, "A board", 80, 60, tone)
            shown = replace(seen.event, content=replace(seen.event.content, picture=picture))
            async with site.db.transaction() as tx:
                await event_queries.update(tx, shown, search_text="")
            assert f'class="ticket tone-{tone}"' in (await reader.get(address)).text


async def test_others_learn_nothing_and_change_nothing(site: Site) -> None:
    """Strangers, the host, and people who were not checked in; guessed addresses, and ids from the outside."""
    seen = await visit(site)
    address = await made(site, seen)
    async with site.db.transaction() as tx:
        cleo = await person(tx, "Cleo")
        await actions.answer(tx, cleo, seen.event.slug, RsvpReply.GOING)
        row = await tx.fetch_one("select id from attendance_proofs")
    assert row is not None
    async with (
        signed_in(site, cleo.user_id) as other,
        signed_in(site, seen.host.user_id) as host,
        site.browser() as out,
    ):
        assert (await host.get(seen.path)).status_code == 404
        assert (await host.post(seen.path, data={"shown_as": "name"})).status_code == 404
        for browser in (other, host):
            await browser.post(f"{seen.path}/withdraw", data={"proof": row["id"]})
            await browser.post(seen.path, data={"shown_as": "name", "replaces": row["id"]})
        assert (await out.get(seen.path)).status_code == 303
        assert (await out.get(address)).status_code == 200
        ended = [
            await out.get(f"/attendance-proofs/{guess}") for guess in ("x", row["id"], seen.rsvp.id, address[-43:-1])
        ]
        assert [one.status_code for one in ended] == [404] * 4
        assert "We can’t find this proof" in ended[0].text
        assert (await out.get("/attendance-proofs/")).status_code == 404


async def test_proofs_are_limited_per_day(site: Site) -> None:
    seen = await visit(site)
    async with signed_in(site, seen.guest.user_id) as browser:
        for _ in range(PROOFS_PER_DAY.points):
            await browser.post(seen.path, data={"shown_as": "name"})
        assert (await browser.post(seen.path, data={"shown_as": "name"})).status_code == 429


async def test_the_api_makes_shows_and_withdraws_a_proof(site: Site) -> None:
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        ben = await api_session(client, "ben@example.org", "Ben")
        body = {
            "title": "Tea",
            "startsLocal": "2026-03-01T12:00:00",
            "endsLocal": "2026-03-01T15:00:00",
            "timeZone": "Europe/Berlin",
            "allowPast": True,
        }
        path = (await client.post("/api/events", json=body, headers=ana)).headers["location"]
        answer = (await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)).json()
        own = f"{path}/attendance-proof"
        early = await client.post(own, json={}, headers=ben)
        assert (early.status_code, early.json()["title"]) == (422, "NoProof")
        await client.post(f"{path}/check-ins", json={"attendanceId": answer["id"]}, headers=ana)
        assert (await client.get(own, headers=ben)).status_code == 404
        assert (await client.post(own, json={"shownAs": "account"}, headers=ben)).json()["title"] == "NoAccount"
        proof = (await client.post(own, json={}, headers=ben)).json()
        assert (await client.get(own, headers=ben)).json() == proof
        (listed,) = (await client.get("/api/my/attendance-proofs", headers=ben)).json()["proofs"]
        slug = path.rpartition("/")[2]
        assert listed == proof | {"event": {"slug": slug, "title": "Tea", "startsAt": "2026-03-01T11:00:00Z"}}
        assert (await client.get("/api/my/attendance-proofs", headers=ana)).json()["proofs"] == []
        status = proof["url"].replace("/attendance-proofs/", "/api/attendance-proofs/")
        said = await client.get(status)
        assert (said.status_code, said.headers["cache-control"]) == (200, "no-store")
        assert (said.json()["shownName"], said.json()["did"], said.json()["event"]["title"]) == ("Ben", None, "Tea")
        claims = await verified(client, said.json()["token"])
        assert claims["status_url"] == status
        assert (await client.delete(f"{own}/{proof['proofId']}", headers=ben)).status_code == 204
        gone = await client.get(status)
        assert (gone.status_code, gone.json()["title"]) == (410, "ProofWithdrawn")


async def verified(reader: httpx.AsyncClient, signed: str) -> dict[str, object]:
    """Check a signed proof as the documentation says. Returns its claims."""
    keys = await reader.get(KEYS_PATH)
    assert keys.headers["content-type"] == "application/jwk-set+json"
    names: dict[str, object] = {"proof": signed, "keys": keys.json()}
    exec(documented_check(), names)
    claims = names["claims"]
    assert isinstance(claims, dict)
    return claims


def documented_check() -> str:
    """The lines of Python in ``docs/attendance-proofs.md`` that verify a proof, without those that fetch it."""
    (code,) = re.findall(
        r"```python\n(.*?)```", Path("docs/attendance-proofs.md").read_text(encoding="utf-8"), re.DOTALL
    )
    return "\n".join(line for line in code.splitlines() if "urlopen" not in line and "open(" not in line)


async def test_the_signed_file_is_verified_as_documented(site: Site) -> None:
    seen = await visit(site)
    address = await made(site, seen)
    async with site.browser() as reader:
        file = await reader.get(f"{address}.jwt")
        assert file.headers["content-type"] == "application/jwt"
        claims = await verified(reader, file.text)
        head, body, signature = file.text.split(".")
        for forged in (
            f"{head}.{body}x.{signature}",
            f"{head}.{body}.{signature[:-4]}AAAA",
            f"eyJhbGciOiJub25lIn0.{body}.",
        ):
            with pytest.raises(Exception, match=r"(?i)signature|algorithm|decode|kid|key"):
                await verified(reader, forged)
    assert claims["iss"] == ORIGIN
    assert (claims["name"], claims["attendance"], "sub" in claims) == (BEN, "checked_in", False)
    assert claims["event"] == {
        "name": "Board games",
        "startDate": "2026-03-01T11:00:00Z",
        "endDate": "2026-03-01T14:00:00Z",
        "organizer": "Ana",
        "url": f"{ORIGIN}/events/{seen.event.slug}",
    }
