"""Answers and check-ins that wait for a connection are shown wherever the page offers the same action."""

from playwright.async_api import Page, expect

from groundwork.clock import DAY
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import invitations
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.check_in import tickets
from openmeet.domain.events.model import Event
from tests.browser.browsers import Deployment, context
from tests.browser.offline_pages import answer_status, cache_page, sign_up_and_cache, switch_offline
from tests.external_dependencies import needs
from tests.openmeet.site_under_test import CODE_KEY, event_by, person

pytestmark = needs("chromium")


async def _put_into_queue(page: Page, event: Event, reply: RsvpReply) -> None:
    """An answer that was given on this device while it had no connection."""
    path = f"/events/{event.slug}/answer"
    await page.evaluate(
        """(row) => new Promise((done, fails) => {
            const opening = indexedDB.open("openmeet");
            opening.onsuccess = () => {
                const change = opening.result.transaction("queue", "readwrite");
                change.objectStore("queue").put(row);
                change.oncomplete = () => done();
                change.onabort = fails;
            };
        })""",
        {"key": f"{path} ", "path": path, "body": f"reply={reply}", "at": 1},
    )


async def test_rows_that_wait_for_an_answer_show_the_one_that_was_given(browser, openmeet: Deployment) -> None:
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        ines = await sign_up_and_cache(page, openmeet, "Ines")
        async with openmeet.db.transaction() as tx:
            host = await person(tx, "Host")
            event, other = [await event_by(tx, host, title=title) for title in ("Board games", "Supper club")]
            for one in (event, other):
                await invitations.invite(tx, host, one.slug, "ines@example.org")
        await page.evaluate("caches.delete('kept')")
        await cache_page(page, "/home")
        row = page.locator(".needs li", has_text="Board games")
        await switch_offline(opened, page, offline=True)
        await row.get_by_role("button", name="I’m going").click()
        await expect(row.get_by_text("Not sent yet ·")).to_be_visible()
        await expect(row.locator("[aria-current]")).to_have_text("I’m going")
        await expect(row.locator("button:visible")).to_have_text(["Undo"])
        await expect(page.locator(".needs li", has_text="Supper club").locator("button:visible")).to_have_count(2)
        await row.get_by_role("button", name="Undo").click()
        await expect(row.get_by_text("Host invites you.")).to_be_visible()
        await expect(row.get_by_role("button", name="I’m going")).to_be_focused()
        await row.get_by_role("button", name="Can’t go").click()
        await expect(row.locator("[aria-current]")).to_have_text("Can’t go")
        await switch_offline(opened, page, offline=False)
        await expect(row.get_by_text("Sent ·")).to_be_visible()
        await expect(row.locator("button:visible")).to_have_count(0)
        assert await answer_status(openmeet, event, ines) is AttendanceStatus.DECLINED


async def test_page_opened_before_a_waiting_answer_is_sent_shows_that_answer(browser, openmeet: Deployment) -> None:
    async with openmeet.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Host"), title="Board games")
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        iris = await sign_up_and_cache(page, openmeet, "Iris")
        await _put_into_queue(page, event, RsvpReply.GOING)
        await page.goto(f"/events/{event.slug}")
        bar = page.locator(".answer-bar")
        await expect(bar.get_by_role("heading", name="Sent")).to_be_visible()
        await expect(bar.locator("[aria-current]:visible")).to_have_text(["I’m going"])
        await expect(bar.locator("button:visible")).to_have_count(0)
        assert await answer_status(openmeet, event, iris) is AttendanceStatus.ATTENDING
        await page.reload()
        await expect(bar.locator("[aria-current]:visible")).to_have_text(["Going"])
        await expect(bar.get_by_role("heading", name="Sent")).to_have_count(0)


async def test_ticket_that_is_scanned_twice_without_a_connection_is_noticed_at_once(
    browser, openmeet: Deployment
) -> None:
    """Also if its code is typed differently."""
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        host = await sign_up_and_cache(page, openmeet, "Hanna")
        async with openmeet.db.transaction() as tx:
            event = await event_by(tx, host, title="Repair café")
            guests = [await person(tx, name) for name in ("Nora", "Priya")]
            mine = [await attendance.answer(tx, one, event.slug, RsvpReply.GOING) for one in guests]
            await tx.execute(
                "update events set starts_at = :at, ends_at = :end, over_at = :end where id = :id",
                at=tx.now,
                end=tx.now + DAY,
                id=event.id,
            )
        nora, priya = [tickets.code_of(CODE_KEY, one.id) for one in mine]
        await cache_page(page, f"/events/{event.slug}/check-in")
        await switch_offline(opened, page, offline=True)

        async def scan(code: str) -> None:
            await page.get_by_label("Ticket code").fill(code)
            await page.locator("form[data-scan] [type=submit]").click()
            await page.wait_for_load_state()

        for code in (nora, priya):
            await scan(code)
            await expect(page.locator(".offline-waiting li").get_by_text(f"Check in · {code}")).to_be_visible()
            await expect(page.get_by_role("alert")).to_have_count(0)
        await scan(nora.replace("-", "").lower())
        await expect(page.get_by_role("alert")).to_contain_text(f"Ticket {nora} was already scanned on this device")
        await expect(page.locator(".offline-waiting li")).to_have_count(2)
        await switch_offline(opened, page, offline=False)
        await expect(page.get_by_text("You’re back online. Everything that was waiting has been sent.")).to_be_visible()
        for guest in guests:
            assert await answer_status(openmeet, event, guest) is AttendanceStatus.ATTENDED
