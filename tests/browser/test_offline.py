"""Without a connection, pages that were visited are available. Actions wait and are sent later, and the page says so."""

from playwright.async_api import Page, expect

from groundwork.clock import DAY
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.covers.model import cover_of
from openmeet.domain.events import actions
from openmeet.domain.media import pictures, uploads
from openmeet.domain.media.pictures import PictureKey
from openmeet.domain.profiles import portraits
from tests.browser.browsers import Deployment, context
from tests.browser.offline_pages import answer_status, cache_page, sign_up_and_cache, switch_offline, until_stored
from tests.external_dependencies import needs
from tests.openmeet.media.drawn_pictures import draw_picture
from tests.openmeet.site_under_test import event_by, person
from tests.worker_pool import WORKERS

pytestmark = needs("chromium")


async def until_pictures_stored(page: Page, address: str) -> None:
    await until_stored(page, "async (name) => (await (await caches.open(name)).keys()).length", f"faces {address}")


async def test_an_answer_without_a_connection_is_sent_later(browser, openmeet: Deployment) -> None:
    """The page shows that the answer waits, and later that it was sent. Other pages are not available and show a
    message.
    """
    async with openmeet.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Host"), title="Board games")
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        ida = await sign_up_and_cache(page, openmeet, "Ida")
        await cache_page(page, f"/events/{event.slug}")
        await switch_offline(opened, page, offline=True)
        await page.locator(".answer-bar button[value=going]").first.click()
        await expect(page.locator(".offline-waiting li").get_by_text("I’m going · Board games")).to_be_visible()
        await expect(page.get_by_text("You’re offline. This page was saved")).to_be_visible()
        assert await answer_status(openmeet, event, ida) is None
        bar = page.locator(".answer-bar")
        await expect(bar.get_by_role("heading", name="Not sent yet")).to_be_visible()
        await expect(bar.locator("[aria-current]:visible")).to_have_text(["I’m going"])
        await expect(bar.locator("button:visible")).to_have_text(["Undo"])
        await bar.get_by_role("button", name="Undo").click()
        await expect(bar.locator("button[value=going]").first).to_be_visible()
        await expect(bar.get_by_role("heading", name="Not sent yet")).to_have_count(0)
        await bar.locator("button[value=going]").first.click()
        await expect(bar.get_by_role("heading", name="Not sent yet")).to_be_visible()
        await page.goto("/groups")
        await expect(page.get_by_role("heading", name="Saved on this device")).to_be_visible()
        await expect(page.get_by_role("link", name="Board games")).to_be_visible()
        await switch_offline(opened, page, offline=False)
        await expect(page.get_by_text("You’re back online. Everything that was waiting has been sent.")).to_be_visible()
        assert await answer_status(openmeet, event, ida) is AttendanceStatus.ATTENDING


async def test_guests_are_checked_in_without_a_connection(browser, openmeet: Deployment) -> None:
    """Check-ins work on the list that was open before. A check-in that is undone before it was sent is never sent."""
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        host = await sign_up_and_cache(page, openmeet, "Hanna")
        async with openmeet.db.transaction() as tx:
            event = await event_by(tx, host, title="Repair café")
            guests = [await person(tx, name) for name in ("Nora", "Priya")]
            for guest in guests:
                await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
            await tx.execute(
                "update events set starts_at = :at, ends_at = :end, over_at = :end where id = :id",
                at=tx.now,
                end=tx.now + DAY,
                id=event.id,
            )
        await cache_page(page, f"/events/{event.slug}/check-in")
        await switch_offline(opened, page, offline=True)
        await page.get_by_role("button", name="Check in Nora").click()
        await expect(page.locator(".offline-waiting li").get_by_text("Check in Nora")).to_be_visible()
        await page.get_by_role("button", name="Check in Priya").click()
        await expect(page.locator(".offline-waiting li").get_by_text("Check in Priya")).to_be_visible()
        await page.get_by_role("button", name="Undo: Check in Priya").click()
        await expect(page.locator(".offline-waiting li").get_by_text("Check in Priya")).to_have_count(0)
        await expect(page.get_by_role("button", name="Undo: Check in Nora")).to_be_focused()
        # If the session has ended meanwhile, the check-in waits for the next one.
        session = [one for one in await opened.cookies() if one["name"] == "openmeet_session"]
        await opened.clear_cookies(name="openmeet_session")
        await opened.set_offline(False)
        # The service worker reports after it has tried to send.
        await page.evaluate(
            """() => new Promise((done) => {
              navigator.serviceWorker.addEventListener("message", ({ data }) => data.isSending || done());
              dispatchEvent(new Event("online"));
            })"""
        )
        await expect(page.locator(".offline-waiting li").get_by_text("Check in Nora")).to_be_visible()
        # The page is still the saved one, but does not claim that there is no connection.
        await expect(page.get_by_role("link", name="Show the newest version")).to_be_visible()
        await expect(page.get_by_text("You’re offline.")).to_have_count(0)
        await opened.add_cookies(session)
        await switch_offline(opened, page, offline=False)
        await expect(page.get_by_text("You’re back online. Everything that was waiting has been sent.")).to_be_visible()
        # The page still shows the list from before.
        await expect(page.get_by_role("button", name="Check in Nora")).to_have_text("Sent")
        assert await answer_status(openmeet, event, guests[0]) is AttendanceStatus.ATTENDED
        assert await answer_status(openmeet, event, guests[1]) is AttendanceStatus.ATTENDING


async def test_check_in_list_works_offline_as_the_first_page_of_a_browser(browser, openmeet: Deployment) -> None:
    """A host who opens the list on another phone has it offline, although no service worker ran when it was loaded."""
    async with context(browser, openmeet, service_workers="allow") as opened:
        host = await sign_up_and_cache(await opened.new_page(), openmeet, "Ines")
        cookies = await opened.cookies()
    async with openmeet.db.transaction() as tx:
        event = await event_by(tx, host, title="Repair café")
        await attendance.answer(tx, await person(tx, "Nora"), event.slug, RsvpReply.GOING)
    async with context(browser, openmeet, service_workers="allow") as other_phone:
        await other_phone.add_cookies(
            [{"name": one["name"], "value": one["value"], "url": openmeet.url} for one in cookies]
        )
        page = await other_phone.new_page()
        await page.goto(f"/events/{event.slug}/check-in")
        await expect(page.get_by_text("Works offline")).to_be_visible()
        await switch_offline(other_phone, page, offline=True)
        await page.goto(f"/events/{event.slug}/check-in")
        await expect(page.get_by_text("Nora")).to_be_visible()


async def test_a_stored_event_shows_its_uploaded_cover(browser, openmeet: Deployment) -> None:
    """In the list of stored pages, with the size that was stored with the event."""
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        host = await sign_up_and_cache(page, openmeet, "Hanna")
        key, made = await uploads.store_picture(
            openmeet.db, openmeet.pictures, WORKERS, host.user_id, draw_picture(size=(600, 400))
        )
        async with openmeet.db.transaction() as tx:
            event = await event_by(tx, host, title="Repair café")
            cover = pictures.Picture(key, "Tools", made.width, made.height)
            await actions.set_picture(tx, host, event.slug, cover)
        path = f"/events/{event.slug}"
        await cache_page(page, path)
        await until_pictures_stored(page, f"{openmeet.url}{path}")
        devtools = await opened.new_cdp_session(page)
        await devtools.send("Network.clearBrowserCache")
        await switch_offline(opened, page, offline=True)
        await page.goto("/groups")
        shown = page.locator("[data-offline-events] .thumbnail")
        await expect(shown).to_have_js_property("complete", True)
        await expect(shown).not_to_have_js_property("naturalWidth", 0)


async def test_an_event_that_was_never_opened_shows_its_generated_cover(browser, openmeet: Deployment) -> None:
    """Events that the person hosts or attends are stored without being opened, with everything that their page shows."""
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        host = await sign_up_and_cache(page, openmeet, "Hedwig")
        async with openmeet.db.transaction() as tx:
            event = await event_by(tx, host, title="Repair café")
        await page.goto("/home")
        await until_pictures_stored(page, f"{openmeet.url}/events/{event.slug}")
        devtools = await opened.new_cdp_session(page)
        await devtools.send("Network.clearBrowserCache")
        await switch_offline(opened, page, offline=True)
        await page.goto("/groups")
        shown = page.locator("[data-offline-events] .thumbnail")
        await expect(shown).to_have_js_property("complete", True)
        await expect(shown).not_to_have_js_property("naturalWidth", 0)


async def test_the_newest_covers_are_stored_and_a_full_device_still_shows_pages(browser, openmeet: Deployment) -> None:
    """The form of an event shows another generated cover after each letter of its title."""
    first, *covers, last, unstored = [cover_of(f"Title {number}", ()).path for number in range(70)]
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        await sign_up_and_cache(page, openmeet, "Hilde")
        await page.evaluate("async (paths) => { for (const path of paths) await fetch(path); }", [first, *covers, last])
        stored = await page.evaluate(
            """async ([first, last]) => {
              for (let tries = 0; ; tries += 1) {
                const found = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
                const stored = found.flat().filter((one) => new URL(one.url).pathname.startsWith("/covers/")).length;
                const isDone = stored <= 60 && !(await caches.match(first)) && (await caches.match(last));
                if (isDone || tries === 300) return isDone ? 0 : stored;
                await new Promise((later) => setTimeout(later, 20));
              }
            }""",
            [first, last],
        )
        assert not stored, f"{stored} covers are stored"
        devtools = await opened.new_cdp_session(page)
        await devtools.send("Storage.overrideQuotaForOrigin", {"origin": openmeet.url, "quotaSize": 1})
        assert await page.evaluate("async (path) => (await fetch(path)).ok", unstored)
        await page.goto("/my/events")
        await expect(page.locator("h1")).to_be_visible()


async def test_stored_events_say_what_the_person_does_there(browser, openmeet: Deployment) -> None:
    """Coming events come before those of earlier days, in the order of their starts."""
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        ida = await sign_up_and_cache(page, openmeet, "Ida")
        async with openmeet.db.transaction() as tx:
            other = await person(tx, "Other")
            old = await event_by(tx, other, title="Old times")
            await tx.execute(
                "update events set starts_at = starts_at - :ago where id = :id", ago=5_000 * DAY, id=old.id
            )
            evening = await event_by(tx, other, title="Night walk", starts="2126-07-04T21:00", ends="")
            joined = await event_by(tx, other, title="Choir", starts="2126-07-04T18:00", ends="")
            await attendance.answer(tx, ida, joined.slug, RsvpReply.GOING)
            perhaps = await event_by(tx, other, title="Picnic", starts="2126-07-04T22:00", ends="")
            await attendance.answer(tx, ida, perhaps.slug, RsvpReply.INTERESTED)
            hosted = await event_by(tx, ida, title="Repair café", starts="2126-07-05T18:00", ends="")
        for event in (old, evening, joined, perhaps, hosted):
            await cache_page(page, f"/events/{event.slug}")
        await switch_offline(opened, page, offline=True)
        await page.goto("/groups")
        rows = page.locator("[data-offline-events] .event-card")
        await expect(rows.locator("h2")).to_have_text(["Choir", "Night walk", "Picnic", "Repair café", "Old times"])
        chips = [await row.locator(".chip:visible").all_inner_texts() for row in await rows.all()]
        assert chips == [["You’re going"], [], ["Maybe"], ["You host"], []]
        # A check mark is only for people who are going.
        await expect(rows.locator(".chip.good:visible")).to_have_text(["You’re going"])
        await expect(rows.locator("[data-offline-answer]:visible svg")).to_have_count(1)


async def test_stored_events_say_whether_they_are_in_the_morning(browser, openmeet: Deployment) -> None:
    """In American English, only the end of “6:00–8:00 PM” says so."""
    async with context(browser, openmeet, locale="en-US", service_workers="allow") as opened:
        page = await opened.new_page()
        ida = await sign_up_and_cache(page, openmeet, "Ida")
        async with openmeet.db.transaction() as tx:
            evening = await event_by(tx, ida, starts="2126-07-04T18:00", ends="2126-07-04T20:00")
            weekend = await event_by(tx, ida, starts="2126-07-06T18:00", ends="2126-07-08T12:00")
        for event in (evening, weekend):
            await cache_page(page, f"/events/{event.slug}")
        await switch_offline(opened, page, offline=True)
        await page.goto("/groups")
        await expect(page.locator("[data-offline-events] .when")).to_have_text(
            [
                "Thu, Jul 4, 2126 · 6:00–8:00 PM",
                "Saturday, July 6, 2126, 6:00 PM – Monday, July 8, 2126, 12:00 PM",
            ]
        )


async def test_a_page_that_arrives_after_sign_out_is_not_stored(browser, openmeet: Deployment) -> None:
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        await sign_up_and_cache(page, openmeet, "Hanna")
        await cache_page(page, "/home")
        (worker,) = opened.service_workers
        stored = await worker.evaluate(
            """async () => {
              let finish;
              const body = new ReadableStream({ start(stream) { finish = () => stream.close(); } });
              const storing = keep(new URL("/my/events", location.origin), new Response(body), deletions);
              await forget();
              finish();
              await storing;
              return (await (await caches.open("kept")).keys()).map((one) => one.url);
            }"""
        )
    assert stored == []


async def test_check_in_list_has_portraits_without_a_connection(browser, openmeet: Deployment) -> None:
    """Portraits are stored with the list. One that is not stored is replaced by the initial, and none is left after
    sign-out.
    """
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        host = await sign_up_and_cache(page, openmeet, "Hanna")
        async with openmeet.db.transaction() as tx:
            event = await event_by(tx, host, title="Repair café")
            guests = [await person(tx, name) for name in ("Nora", "Priya")]
            for guest in guests:
                await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
        key = await uploads.store_portrait(openmeet.db, openmeet.pictures, WORKERS, guests[0].user_id, draw_picture())
        async with openmeet.db.transaction() as tx:
            await portraits.put(tx, guests[0].user_id, key)
            await portraits.put(tx, guests[1].user_id, PictureKey("0" * 32))  # there is no such file
        path = f"/events/{event.slug}/check-in"
        await cache_page(page, path)
        await until_pictures_stored(page, f"{openmeet.url}{path}")
        # The browser's own cache would have the portraits of the rows that were on the screen.
        devtools = await opened.new_cdp_session(page)
        await devtools.send("Network.clearBrowserCache")
        await switch_offline(opened, page, offline=True)
        await page.goto(path)
        rows = page.locator(".attendees li")
        nora, priya = rows.filter(has_text="Nora"), rows.filter(has_text="Priya")
        await expect(nora.locator(".avatar img")).to_have_js_property("naturalWidth", 48)
        await expect(priya.locator(".avatar img")).to_have_js_property("complete", True)
        await expect(priya.locator(".avatar img")).to_have_js_property("naturalWidth", 0)
        await expect(priya.locator(".avatar")).to_have_text("P")
        await switch_offline(opened, page, offline=False)
        await cache_page(page, path)
        await page.goto("/home")
        await page.get_by_role("button", name="Sign out").first.click()
        await page.wait_for_url(lambda url: "/home" not in url)
        assert [name for name in await page.evaluate("caches.keys()") if name.startswith("faces ")] == []


async def test_label_that_arrives_after_the_form_is_shown(browser, openmeet: Deployment) -> None:
    """A browser may pass the form to the service worker before the label of its button."""
    async with openmeet.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Host"), title="Board games")
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        await sign_up_and_cache(page, openmeet, "Ines")
        await cache_page(page, f"/events/{event.slug}")
        await switch_offline(opened, page, offline=True)
        # Unlike a click, ``submit`` triggers no listener, so this answer has no label yet.
        await page.locator('form[action$="/answer"]').first.evaluate("(form) => form.submit()")
        await expect(page.locator(".offline-waiting").get_by_text("Waiting to send")).to_be_visible()
        await page.evaluate(
            """(path) => navigator.serviceWorker.controller.postMessage({ kind: "words", path, body: "", words: "I’m going" })""",
            f"/events/{event.slug}/answer",
        )
        await expect(page.locator(".offline-waiting li").get_by_text("I’m going")).to_be_visible()


async def test_new_answer_replaces_a_waiting_one(browser, openmeet: Deployment) -> None:
    """An answer that the server could not receive is not sent after a later one that it has received."""
    async with openmeet.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Host"), title="Board games")
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        iris = await sign_up_and_cache(page, openmeet, "Iris")
        await cache_page(page, f"/events/{event.slug}")
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
            {
                "key": f"/events/{event.slug}/answer ",
                "path": f"/events/{event.slug}/answer",
                "body": f"reply={RsvpReply.DECLINED}",
                "at": 1,
            },
        )
        await page.locator(".answer-bar button[value=going]").first.click()
        await expect(page.get_by_text("You’re going. See you there.")).to_be_visible()
        # Waiting actions are sent before an opened page gets its response.
        await page.evaluate(
            """() => new Promise((done) => {
                const here = { kind: "here", person: document.body.dataset.person, pages: [] };
                const ask = () => navigator.serviceWorker.controller.postMessage(here);
                // A message is lost if the browser ends the worker before it is handled.
                const repeating = setInterval(ask, 1000);
                navigator.serviceWorker.addEventListener("message", ({ data }) => data.isSending ||
                    (clearInterval(repeating), done()));
                ask();
            })"""
        )
        assert await answer_status(openmeet, event, iris) is AttendanceStatus.ATTENDING


async def test_signing_out_leaves_nothing_on_the_device(browser, openmeet: Deployment) -> None:
    """Neither pages nor waiting actions."""
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        await sign_up_and_cache(page, openmeet, "Otto")
        await cache_page(page, "/home")
        await page.get_by_role("button", name="Sign out").first.click()
        await page.wait_for_url(lambda url: "/home" not in url)
        assert not await page.evaluate("caches.open('kept').then((cache) => cache.keys()).then((all) => all.length)")


async def test_deleting_the_account_leaves_nothing_on_the_device(browser, openmeet: Deployment) -> None:
    """Neither pages, nor the identity of the user, nor waiting actions."""
    async with context(browser, openmeet, service_workers="allow") as opened:
        page = await opened.new_page()
        await sign_up_and_cache(page, openmeet, "Olga")
        await cache_page(page, "/home")
        await page.goto("/settings/delete")
        await page.get_by_label("Your e-mail address").fill("olga@example.org")
        await page.get_by_role("button", name="Delete my account").click()
        await page.get_by_text("Your account is hidden and will be deleted.").wait_for()
        assert not await page.evaluate("caches.open('kept').then((cache) => cache.keys()).then((all) => all.length)")
        left = await page.evaluate(
            """() => new Promise((done, fails) => {
                const opening = indexedDB.open("openmeet");
                opening.onerror = fails;
                opening.onsuccess = () => {
                    const asked = opening.result.transaction("state").objectStore("state").getAllKeys();
                    asked.onsuccess = () => done(asked.result);
                };
            })"""
        )
        assert left == []
