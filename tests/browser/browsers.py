"""A real browser in front of a real server: Debian's Chromium, with and without script, at the widths people have."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from groundwork.blobstore.contract import BlobStore
from groundwork.blobstore.open_ import open_folder
from groundwork.clock import Clock
from groundwork.database.transaction import Database
from groundwork.http.application import Application
from groundwork.http.server import serving
from groundwork.mail.address import parse_address
from groundwork.mail.contract import Mail, Sender
from groundwork.mail.folder import FolderMailbox
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_by_one
from groundwork.telemetry.metrics import Metrics
from openmeet.app import create_app
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.places.geocoder import Geocoder
from openmeet.emails.composers import composers
from openmeet.emails.render import EmailContext
from openmeet.outbox.emails import OutgoingEmail, email_handler
from openmeet.outbox.kinds import JobKind
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant
from openmeet.web.site.services import Services
from tests.openmeet.site_under_test import CODE_KEY, change_services
from tests.worker_pool import POOL

CHROMIUM = {
    "executable_path": "/usr/bin/chromium",
    "args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
}

# A busy machine is slow, not wrong: what must appear is waited for.
_PATIENCE_MS = 30_000
expect.set_options(timeout=_PATIENCE_MS)

# What the browser says where a page wants a service worker and ``context`` lets it have none.
NO_WORKER = "Service Worker registration blocked by Playwright"

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 800}


@dataclass
class Deployment:
    """A site that listens, its database, its mailbox and its pictures."""

    url: str
    db: Database
    box: FolderMailbox
    pictures: BlobStore
    app: Application

    async def deliver(self) -> None:
        """Deliver the mail that is queued, as the publisher does."""

        async def send(letter: OutgoingEmail, name: str) -> None:
            await self.box.send(Mail(parse_address(letter.to), letter.subject, letter.text, f"<{name}@openmeet.test>"))

        head = EmailContext(CODE_KEY, "OpenMeet", self.url)
        await dispatcher.run_once(self.db, {JobKind.MAIL: one_by_one(email_handler(self.db, composers(head), send))})


@asynccontextmanager
async def deployment(
    db: Database,
    clock: Clock,
    folder: Path,
    *,
    places: Gazetteer | None = None,
    geocoder: Geocoder | None = None,
    language: str = "en",
    **changed: Any,
) -> AsyncIterator[Deployment]:
    """The site on a free port. ``language``: for browsers that ask for none that it has. ``changed``: other settings."""
    box = FolderMailbox(folder, Sender("OpenMeet", parse_address("no-reply@openmeet.test")), clock)
    pictures = open_folder(folder.parent / "pictures")
    settings = replace(Settings(), dev_mailbox=True, language=language, **changed)
    app = create_app(
        Services(
            settings,
            Tenant("default", db),
            CODE_KEY,
            clock,
            pictures=pictures,
            workers=POOL,
            dev_mailbox=box,
            places=places,
            geocoder=geocoder,
        ),
        Metrics("openmeet"),
    )
    async with serving(app) as server:
        change_services(app, settings=replace(settings, public_url=server.url))
        yield Deployment(server.url, db, box, pictures, app)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(**CHROMIUM)
        stack.push_async_callback(browser.close)
        yield browser


@pytest.fixture(scope="module")
async def chromium_of_file() -> AsyncIterator[Browser]:
    """One for the tests of a file, which with it share an event loop: starting one costs as much as a test."""
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def browser(chromium_of_file: Browser) -> AsyncIterator[Browser]:
    """A browser in which nobody has been: whatever a test opens in it is closed after it."""
    assert not chromium_of_file.contexts
    yield chromium_of_file
    for opened in list(chromium_of_file.contexts):
        await opened.close()


@asynccontextmanager
async def context(browser: Browser, deployment: Deployment, **options: Any) -> AsyncIterator[BrowserContext]:
    """A person's browser: own cookies; script off with ``java_script_enabled=False``, service workers on with
    ``service_workers="allow"``.
    """
    options = {
        "viewport": PHONE,
        "locale": "en-GB",
        "timezone_id": "Europe/Berlin",
        "base_url": deployment.url,
        # Between a page and the site it would hide requests from the tests that watch them.
        "service_workers": "block",
    } | options
    opened = await browser.new_context(**options)
    opened.set_default_timeout(_PATIENCE_MS)
    try:
        yield opened
    finally:
        await opened.close()


async def sign_up(page: Page, deployment: Deployment, name: str, email: str) -> None:
    """From the sign-in page through the mailbox to the page that comes after the name."""
    await ask_for_code(page, email)
    await enter_code(page, deployment)
    await page.get_by_label("Your name").fill(name)
    await page.get_by_role("button", name="Use this name").click()


async def ask_for_code(page: Page, email: str) -> None:
    """On the sign-in page."""
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_role("button", name="Continue to sign-in").click()


async def enter_code(page: Page, deployment: Deployment) -> None:
    """The newest code of the mailbox, typed on the page that asks for it."""
    await page.get_by_role("heading", name="Enter your code").wait_for()
    await deployment.deliver()
    mail = await page.context.new_page()
    await mail.goto("/dev/mail")
    heading = await mail.get_by_role("heading", level=2).first.inner_text()
    await mail.close()
    await page.get_by_label("Code", exact=True).fill(heading.partition(": ")[2])
    await page.get_by_role("button", name="Use this code").click()


async def sideways(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(await page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


async def small_targets(page: Page) -> list[str]:
    """Controls lower than 44 pixels; links inside running text are excepted (WCAG 2.5.8, "inline"), titles of cards that are
    pressed as a whole, and bars of a month, whose day is a target of that height and lists them ("equivalent"; they have 24).
    """
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), select, textarea, summary')]
          .filter((one) => {
            const box = one.getBoundingClientRect();
            const inText = one.closest('p, .prose, .skip, .event-card h2, .event-card h3, .event-tile h3, .next-up h3, .group-card h2, .cal-bars');
            const label = one.matches('[type=radio], [type=checkbox]') && one.closest('label');
            const labelled = label && label.getBoundingClientRect().height >= 43.5;
            return box.width && box.height && box.height < 43.5 && !inText && !labelled;
          })
          .map((one) => one.outerHTML.slice(0, 100))"""
    )
    return found


async def unfold_all(page: Page) -> None:
    """Open what is folded, so that it is looked at, too."""
    await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


async def narrow_targets(page: Page) -> list[str]:
    """Buttons, boxes and fields of less than 44 pixels across; what a label makes larger counts with it."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll('button, .button, input:not([type=hidden]), select, textarea, summary')]
          .filter((one) => {
            const label = one.matches('[type=radio], [type=checkbox]') && one.closest('label');
            const box = (label || one).getBoundingClientRect();
            return box.width && box.width < 43.5 && !one.matches('.link');
          })
          .map((one) => one.outerHTML.slice(0, 100))"""
    )
    return found


async def hollow_cards(page: Page) -> list[str]:
    """Boxes that are drawn around nothing."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll('.card, .banner, .needs')]
          .filter((one) => {
            const height = one.getBoundingClientRect().height;
            const style = getComputedStyle(one);
            const isDrawn = parseFloat(style.borderTopWidth) || style.backgroundColor !== 'rgba(0, 0, 0, 0)';
            return isDrawn && height && height < 40;
          })
          .map((one) => one.outerHTML.slice(0, 100))"""
    )
    return found


async def covered_targets(page: Page) -> list[str]:
    """Controls that something else lies on: whoever presses them presses that. A label that belongs to one is as good."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll('main a[href], main button, main input:not([type=hidden]), main select, main textarea, main summary')]
          .filter((one) => {
            const boxes = one.getClientRects();
            if (!boxes.length || one.disabled || !one.checkVisibility({opacityProperty: true, visibilityProperty: true})) return false;
            one.scrollIntoView({block: 'center', behavior: 'instant'});
            const box = one.getClientRects()[0];
            const there = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
            return there && !one.contains(there) && !there.contains(one) && there.closest('label')?.control !== one;
          })
          .map((one) => one.outerHTML.slice(0, 100))"""
    )
    return found


async def unclear_names(page: Page) -> list[str]:
    """What is called alike and does different things (WCAG 2.4.4): links by where they lead, unless a sentence around them says
    which, and buttons by what they send.
    """
    found: list[str] = await page.evaluate(
        """() => {
          const spoken = (one) => (one.getAttribute('aria-label') || one.textContent).replace(/\\s+/g, ' ').trim();
          const does = (one) => one.matches('a')
            ? one.href
            : [one.form?.action, one.name, one.value, one.getAttribute('formaction'),
               ...[...(one.form?.querySelectorAll('input[type=hidden]') ?? [])].map((each) => each.name + each.value)].join(' ');
          const known = new Map();
          const unclear = new Set();
          for (const one of document.querySelectorAll('main a[href], main button')) {
            const name = spoken(one);
            const sentence = one.closest('p')?.textContent.replace(/\\s+/g, ' ').trim() ?? '';
            if (!one.getBoundingClientRect().width || (one.matches('a') && sentence.length > name.length)) continue;
            if (known.has(name) && known.get(name) !== does(one)) unclear.add(name);
            known.set(name, does(one));
          }
          return [...unclear];
        }"""
    )
    return found


async def unseen_focus(page: Page) -> list[str]:
    """What gets the focus by keyboard and does not show it, or gets it out of turn."""
    await page.keyboard.press("Tab")
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]')]
          .filter((one) => {
            if (!one.getBoundingClientRect().width || one.disabled || one.tabIndex < 0) return false;
            one.focus();
            const shows = (each) => each && getComputedStyle(each).outlineStyle !== 'none';
            return one.tabIndex > 0 || (document.activeElement === one && !shows(one) && !shows(one.closest('.event-card, .group-card, .date')));
          })
          .map((one) => one.outerHTML.slice(0, 100))"""
    )
    return found


async def heads(page: Page) -> list[str]:
    """What is wrong with the one heading of the page, and with its title."""
    count = await page.locator("h1").count()
    title = await page.title()
    return ([] if count == 1 else [f"{count} h1"]) + (
        [] if title.strip(" ·") and not title.startswith("·") else [f"title {title!r}"]
    )
