"""A real browser and a real server: Debian's Chromium, with and without scripts, at common widths."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright, expect

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
from groundwork.outbox.delivery import one_job_per_call
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

# For each new window, Chromium would load the page that suggests addresses while somebody types one. Tests open a window
# for each person, and loading that page took more processor time than the page that the test is about.
_SUGGESTIONS = ("WebUIOmniboxPopup", "WebUIOmniboxFullPopup", "WebUIOmniboxAimPopup")
# What Playwright turns off. Chromium reads only the last of several lists (test_chromium.py compares them).
_OFF_BY_PLAYWRIGHT = (
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "TcpPortRandomizationWin",
    "ThirdPartyStoragePartitioning",
    "msEdgeUpdateLaunchServicesPreferredVersion",
    "msForceBrowserSignIn",
)
CHROMIUM = {
    "executable_path": "/usr/bin/chromium",
    "args": [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        f"--disable-features={','.join(_OFF_BY_PLAYWRIGHT + _SUGGESTIONS)}",
    ],
}

# A busy machine is slow, so tests wait this long for expected elements.
_PATIENCE_MS = 30_000
expect.set_options(timeout=_PATIENCE_MS)

# Chromium's message when a page registers a service worker and ``context`` blocks it.
NO_WORKER = "Service Worker registration blocked by Playwright"

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 800}


@dataclass
class Deployment:
    """A running site with its database, mailbox and pictures."""

    url: str
    db: Database
    box: FolderMailbox
    pictures: BlobStore
    app: Application

    async def deliver(self) -> None:
        """Deliver queued e-mails, as the publisher does."""

        async def send(letter: OutgoingEmail, name: str) -> None:
            await self.box.send(Mail(parse_address(letter.to), letter.subject, letter.text, f"<{name}@openmeet.test>"))

        head = EmailContext(CODE_KEY, "OpenMeet", self.url)
        await dispatcher.run_once(
            self.db, {JobKind.MAIL: one_job_per_call(email_handler(self.db, composers(head), send))}
        )


# The keystroke-level model of Card, Moran and Newell (1980): to decide what comes next, and to point at it.
_SECONDS_PER_TAP = 1.35 + 1.1
# On a phone, the average person types 36 words a minute (Palin et al., 2019): 0.33 s per character. Slower ones count.
_SECONDS_PER_CHARACTER = 0.5


@dataclass
class Count:
    """What a person has done so far: taps, fields that they filled, and characters that they typed."""

    taps: int = 0
    fields: int = 0
    characters: int = 0

    async def tap(self, what: Locator) -> None:
        self.taps += 1
        await what.click()

    async def fill(self, what: Locator, text: str) -> None:
        self.fields += 1
        self.characters += len(text)
        await what.fill(text)

    @property
    def seconds(self) -> float:
        """An estimate of the time that this takes a person, who also taps each field before typing."""
        return (self.taps + self.fields) * _SECONDS_PER_TAP + self.characters * _SECONDS_PER_CHARACTER


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
    """Run the site on a free port. ``language``: for browsers that accept none of the site's languages. ``changed``:
    settings to override.
    """
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
    """One Chromium for all tests of a file, which share its event loop. Starting one takes as long as a test."""
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def browser(chromium_of_file: Browser) -> AsyncIterator[Browser]:
    """A browser without stored data. Everything that a test opens in it is closed after the test."""
    assert not chromium_of_file.contexts
    yield chromium_of_file
    for opened in list(chromium_of_file.contexts):
        await opened.close()


@asynccontextmanager
async def context(browser: Browser, deployment: Deployment, **options: Any) -> AsyncIterator[BrowserContext]:
    """The browser of one person, with separate cookies. ``java_script_enabled=False`` turns scripts off,
    ``service_workers="allow"`` turns service workers on.
    """
    options = {
        "viewport": PHONE,
        "locale": "en-GB",
        "timezone_id": "Europe/Berlin",
        "base_url": deployment.url,
        # A service worker would hide requests from the tests that watch them.
        "service_workers": "block",
    } | options
    opened = await browser.new_context(**options)
    opened.set_default_timeout(_PATIENCE_MS)
    try:
        yield opened
    finally:
        await opened.close()


async def sign_up(page: Page, deployment: Deployment, name: str, email: str) -> None:
    """Sign up: from the sign-in page through the mailbox to the page after the one for the name, or to the form of a new
    event, which has the name in it.
    """
    await ask_for_code(page, email)
    await enter_code(page, deployment)
    await page.get_by_label("Your name").fill(name)
    if urlsplit(page.url).path == "/welcome":
        await page.get_by_role("button", name="Use this name").click()


async def ask_for_code(page: Page, email: str) -> None:
    """Ask for a code on the sign-in page."""
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_role("button", name="Sign in").click()


async def enter_code(page: Page, deployment: Deployment) -> None:
    """Type the newest code from the mailbox on the page that asks for it."""
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
    """Controls lower than 44 pixels. Exceptions: links in running text (WCAG 2.5.8, "inline"), titles of cards and rows
    that can be pressed as a whole, and bars in the month view, which are 24 pixels high but are also listed behind their
    day, a target of 44 pixels ("equivalent"). Hidden buttons, which only the Enter key presses, are left out here and
    below.
    """
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll('a, button:not([aria-hidden]), input:not([type=hidden]), select, textarea, summary')]
          .filter((one) => {
            const box = one.getBoundingClientRect();
            const inText = one.closest('p, .prose, .skip, .embed .row h2, .event-card h2, .event-card h3, .event-card h4, .event-tile h3, .next-up h2, .next-up h3, .week, .group-card h2, .group-card h3, .cal-bars');
            const label = one.matches('[type=radio], [type=checkbox]') && one.closest('label');
            const labelled = label && label.getBoundingClientRect().height >= 43.5;
            return box.width && box.height && box.height < 43.5 && !inText && !labelled;
          })
          .map((one) => one.outerHTML.slice(0, 100))"""
    )
    return found


async def unfold_all(page: Page) -> None:
    """Open all folded parts, so that they are checked too."""
    await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


async def narrow_targets(page: Page) -> list[str]:
    """Buttons, checkboxes and fields narrower than 44 pixels. The width includes a label that enlarges the target."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll('button:not([aria-hidden]), .button, input:not([type=hidden]), select, textarea, summary')]
          .filter((one) => {
            const label = one.matches('[type=radio], [type=checkbox]') && one.closest('label');
            const box = (label || one).getBoundingClientRect();
            return box.width && box.width < 43.5 && !one.matches('.link');
          })
          .map((one) => one.outerHTML.slice(0, 100))"""
    )
    return found


async def squeezed_texts(page: Page) -> list[str]:
    """Texts in a column that is so narrow that its lines have only a letter or two."""
    found: list[str] = await page.evaluate(
        """() => {
          // Text for screen readers only is in a box of one pixel.
          const isCut = (one) => one.getBoundingClientRect().width <= 1 && getComputedStyle(one).overflow !== 'visible';
          const isSeen = (one) => one.tagName === 'MAIN' || (!isCut(one) && isSeen(one.parentElement));
          const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
          const found = [];
          while (walker.nextNode()) {
            const words = walker.currentNode.data.trim();
            const parent = walker.currentNode.parentElement;
            if (words.length < 12 || parent.closest('svg') || !parent.checkVisibility() || !isSeen(parent)) continue;
            const range = document.createRange();
            range.selectNodeContents(walker.currentNode);
            const lines = new Set([...range.getClientRects()].map((one) => Math.round(one.top))).size;
            if (words.length / lines < 3) found.push(words.slice(0, 60));
          }
          return found;
        }"""
    )
    return found


async def hollow_cards(page: Page) -> list[str]:
    """Visible boxes without content."""
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
    """Controls that are covered by something else, so that a press does not reach them. A covering label of the control
    is allowed.
    """
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
    """Names that several controls with different functions share (WCAG 2.4.4). Links are compared by their targets,
    unless the sentence around them distinguishes them; buttons by what they send, apart from ``in_list``, which only says
    where the page is shown again.
    """
    found: list[str] = await page.evaluate(
        """() => {
          const spoken = (one) => (one.getAttribute('aria-label') || one.textContent).replace(/\\s+/g, ' ').trim();
          const does = (one) => one.matches('a')
            ? one.href
            : [one.form?.action, one.name, one.value, one.getAttribute('formaction'),
               ...[...(one.form?.querySelectorAll('input[type=hidden]:not([name=in_list])') ?? [])].map((each) =>
                   each.name + each.value)].join(' ');
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
    """Elements that receive keyboard focus without showing it, or out of order."""
    await page.keyboard.press("Tab")
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]')]
          .filter((one) => {
            if (!one.getBoundingClientRect().width || one.disabled || one.tabIndex < 0) return false;
            one.focus();
            const shows = (each) => each && getComputedStyle(each).outlineStyle !== 'none';
            return one.tabIndex > 0 || (document.activeElement === one && !shows(one) &&
                !shows(one.closest('.event-card, .event-tile, .group-card, .date')));
          })
          .map((one) => one.outerHTML.slice(0, 100))"""
    )
    return found


async def heads(page: Page) -> list[str]:
    """Problems with the page's main heading, of which there must be exactly one, and with its title."""
    count = await page.locator("h1").count()
    title = await page.title()
    return ([] if count == 1 else [f"{count} h1"]) + (
        [] if title.strip(" ·") and not title.startswith("·") else [f"title {title!r}"]
    )
