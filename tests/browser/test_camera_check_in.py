"""Check-in by camera: tickets are held in front of the host's phone, read from the picture and checked in.

Chromium on Linux has no code reader (the Shape Detection API is for Android, ChromeOS and macOS). The reader used here
only compares the camera's picture, module by module, with the codes that the film can show.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import segno
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from groundwork.clock import DAY
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.check_in import tickets as check_in_tickets
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from openmeet.web.check_in import pages
from tests.browser.browsers import CHROMIUM, Deployment, context, sign_up
from tests.external_dependencies import needs
from tests.openmeet.site_under_test import CODE_KEY, event_by, person

pytestmark = needs("chromium")

WIDTH, HEIGHT = 640, 480
MODULE = 6
FRAMES_PER_SECOND = 10

READER = """
(codes) => {
  window.BarcodeDetector = class {
    static async getSupportedFormats() { return ["qr_code"]; }
    async detect(video) {
      if (!video.videoWidth) return [];
      const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
      const pen = canvas.getContext("2d");
      pen.drawImage(video, 0, 0);
      const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
      const [wide, high] = [canvas.width / 640, canvas.height / 480];
      for (const { rows, text, left, top, module } of codes) {
        let same = 0, all = 0;
        rows.forEach((row, y) => row.forEach((dark, x) => {
          const [px, py] = [(left + (x + 0.5) * module) * wide, (top + (y + 0.5) * module) * high].map(Math.floor);
          all += 1;
          same += (data[4 * (py * canvas.width + px)] < 128) === Boolean(dark);
        }));
        if (same / all > 0.97) return [{ rawValue: text }];
      }
      return [];
    }
  };
}
"""


def _code(text: str) -> dict[str, Any]:
    """A code in the middle of the camera's picture."""
    rows = [[int(module) for module in row] for row in segno.make(text, error="m", micro=False).matrix]
    size = len(rows) * MODULE
    return {
        "rows": rows,
        "text": text,
        "left": (WIDTH - size) // 2,
        "top": (HEIGHT - size) // 2,
        "module": MODULE,
    }


def _frame(text: str) -> bytes:
    code = _code(text) if text else {"rows": [], "left": 0, "top": 0}
    light = bytearray(b"\xeb" * (WIDTH * HEIGHT))
    for y, row in enumerate(code["rows"]):
        line = b"".join((b"\x10" if dark else b"\xeb") * MODULE for dark in row)
        for inner in range(MODULE):
            at = (code["top"] + y * MODULE + inner) * WIDTH + code["left"]
            light[at : at + len(line)] = line
    return b"FRAME\n" + bytes(light) + b"\x80" * (WIDTH * HEIGHT // 2)


def film(path: Path, *scenes: str) -> None:
    """Write a film that shows each of these codes for two seconds, as YUV4MPEG2. An empty text shows nothing.

    A camera that is turned on shows the film of that moment, from its beginning and without end. The file is replaced,
    because a camera that is on would read a half-written one and stop.
    """
    head = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FRAMES_PER_SECOND}:1 Ip A1:1 C420mpeg2\n".encode()
    written = path.with_suffix(".new")
    written.write_bytes(head + b"".join(_frame(text) * 2 * FRAMES_PER_SECOND for text in scenes))
    written.replace(path)


@dataclass(frozen=True, slots=True)
class Entrance:
    """A host's check-in page, and the addresses in the codes on two guests' tickets."""

    opened: BrowserContext
    page: Page
    event: Event
    film: Path
    ben: str
    ada: str

    async def install_reader(self, *texts: str) -> None:
        """Give the browser a code reader for these texts, and open the page."""
        codes = json.dumps([_code(text) for text in texts])
        await self.opened.add_init_script(f"({READER})({codes})")
        await self.page.goto(f"/events/{self.event.slug}/check-in")


@asynccontextmanager
async def entrance(
    openmeet: Deployment, folder: Path, *, has_camera: bool = True, **options: Any
) -> AsyncIterator[Entrance]:
    """A browser in which a host is signed in, with a camera that shows a film. Its use has to be permitted."""
    cameras = folder / "camera.y4m"
    async with openmeet.db.transaction() as tx:
        guests = [await person(tx, name) for name in ("Ben", "Ada")]
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        camera = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={cameras}"]
        arguments = [*CHROMIUM["args"], *(camera if has_camera else [])]
        browser = await playwright.chromium.launch(**{**CHROMIUM, "args": arguments})
        stack.push_async_callback(browser.close)
        opened = await stack.enter_async_context(context(browser, openmeet, **options))
        page = await opened.new_page()
        await page.goto("/sign-in")
        await sign_up(page, openmeet, "Ana", "ana@example.org")
        async with openmeet.db.transaction() as tx:
            host = await by_email(tx, "ana@example.org")
            assert host is not None
            event = await event_by(tx, Caller(host.id, "Ana"))
            await tx.execute(
                "update events set starts_at = :at, ends_at = :end, over_at = :end where id = :id",
                at=tx.now,
                end=tx.now + DAY,
                id=event.id,
            )
            mine = [await attendance.answer(tx, guest, event.slug, RsvpReply.GOING) for guest in guests]
        codes = [check_in_tickets.code_of(CODE_KEY, one.id) for one in mine]
        ben, ada = [pages.ticket_url(openmeet.url, event.slug, code) for code in codes]
        film(cameras, "")
        yield Entrance(opened, page, event, cameras, ben, ada)


async def test_tickets_are_checked_in_by_camera_one_after_another(openmeet: Deployment, tmp_path: Path) -> None:
    """The address in the code on a ticket is read. The camera goes on for the next one without another press."""
    async with entrance(openmeet, tmp_path) as at:
        await at.opened.grant_permissions(["camera"])
        await at.install_reader(at.ben, at.ada)
        film(at.film, at.ben, "", at.ada, "")
        await at.page.get_by_role("button", name="Scan with the camera").click()
        await expect(at.page.get_by_text("Ben is in")).to_be_visible()
        film(at.film, at.ada, "")
        await expect(at.page.get_by_text("Ada is in")).to_be_visible()
        await expect(at.page.get_by_role("status").filter(has_text="of 2 people")).to_contain_text("2")
        film(at.film, "", "", at.ben)
        # The camera may have been turned on before.
        await at.page.reload()
        await expect(at.page.get_by_text("Ben is already in")).to_be_visible()
        await at.page.get_by_role("button", name="Turn the camera off").click()
        await at.page.reload()
        await expect(at.page.get_by_role("button", name="Scan with the camera")).to_be_visible()


async def test_code_that_is_no_ticket_is_not_sent(openmeet: Deployment, tmp_path: Path) -> None:
    """The camera stays on, and the next ticket is read."""
    poster = "https://example.org/a-poster-at-the-entrance"
    async with entrance(openmeet, tmp_path) as at:
        await at.opened.grant_permissions(["camera"])
        await at.install_reader(at.ben, poster)
        film(at.film, poster, at.ben)
        await at.page.get_by_role("button", name="Scan with the camera").click()
        await expect(at.page.get_by_text("That isn’t a ticket. Show the code on a ticket.")).to_be_visible()
        await expect(at.page.get_by_text("Ben is in")).to_be_visible()


async def test_camera_continues_after_a_ticket_of_another_event(openmeet: Deployment, tmp_path: Path) -> None:
    async with entrance(openmeet, tmp_path) as at:
        other = f"{openmeet.url}/events/other/check-in?code=7KQM-4T2P-9XAB"
        await at.opened.grant_permissions(["camera"])
        await at.install_reader(other)
        film(at.film, other)
        await at.page.get_by_role("button", name="Scan with the camera").click()
        await expect(at.page.get_by_text("This isn’t a ticket for this event.").first).to_be_visible()
        await expect(at.page.get_by_label("Ticket code")).to_have_value("7KQM-4T2P-9XAB")
        await expect(at.page.get_by_role("button", name="Turn the camera off")).to_be_visible()


async def test_camera_that_cannot_be_used_is_explained(openmeet: Deployment, tmp_path: Path) -> None:
    """Permission is denied, or taken away while the camera runs."""
    async with entrance(openmeet, tmp_path) as at:
        await at.install_reader(at.ben)
        await at.page.get_by_role("button", name="Scan with the camera").click()
        await expect(at.page.get_by_text("Allow it for this page in your browser’s settings")).to_be_visible()
        await at.opened.grant_permissions(["camera"])
        await at.page.get_by_role("button", name="Scan with the camera").click()
        await expect(at.page.get_by_text("Point the camera at a ticket.")).to_be_visible()
        await at.opened.clear_permissions()
        await expect(at.page.get_by_text("The camera was turned off. Start it again")).to_be_visible()
        await expect(at.page.locator("video")).to_be_hidden()


async def test_device_without_a_camera(openmeet: Deployment, tmp_path: Path) -> None:
    async with entrance(openmeet, tmp_path, has_camera=False) as at:
        await at.opened.grant_permissions(["camera"])
        await at.install_reader(at.ben)
        await at.page.get_by_role("button", name="Scan with the camera").click()
        await expect(at.page.get_by_text("We can’t find a camera. Type the code instead.")).to_be_visible()


async def test_browser_without_a_code_reader_names_another_way(openmeet: Deployment, tmp_path: Path) -> None:
    """Some browsers have the interface, but it reads no codes."""
    async with entrance(openmeet, tmp_path) as at:
        await at.page.goto(f"/events/{at.event.slug}/check-in")
        button = at.page.get_by_role("button", name="Scan with the camera")
        await expect(button).to_be_hidden()
        await expect(at.page.get_by_text("Your phone’s camera app can")).to_be_visible()
        no_formats = "window.BarcodeDetector = class { static async getSupportedFormats() { return []; } };"
        await at.opened.add_init_script(no_formats)
        await at.page.reload()
        await expect(at.page.get_by_text("Your phone’s camera app can")).to_be_visible()
        await expect(button).to_be_hidden()


async def test_tickets_are_scanned_without_a_connection(openmeet: Deployment, tmp_path: Path) -> None:
    """The page names the code that waits, and the ticket is checked in later."""
    async with entrance(openmeet, tmp_path, service_workers="allow") as at:
        await at.opened.grant_permissions(["camera"])
        await at.install_reader(at.ben)
        await expect(at.page.get_by_text("Works offline")).to_be_visible()
        await at.opened.set_offline(True)
        film(at.film, at.ben)
        await at.page.get_by_role("button", name="Scan with the camera").click()
        code = at.ben.rpartition("=")[2]
        await expect(at.page.locator(".offline-waiting li").get_by_text(f"Check in · {code}")).to_be_visible()
        await expect(at.page.get_by_text("Already scanned. Show the next ticket.")).to_be_visible()
        await at.opened.set_offline(False)
        await at.page.evaluate("dispatchEvent(new Event('online'))")
        await expect(at.page.get_by_text("Everything that was waiting has been sent.")).to_be_visible()
        await at.page.reload()
        await expect(at.page.get_by_role("status").filter(has_text="of 2 people")).to_contain_text("1")
