"""Check-in by camera: a ticket is held in front of the host's phone, read from the picture and checked in.

Chromium on Linux has no code reader (the Shape Detection API is for Android, ChromeOS and macOS). The reader used here
only compares the camera's picture, module by module, with the ticket's code.
"""

from contextlib import AsyncExitStack
from pathlib import Path

import segno
from playwright.async_api import async_playwright, expect

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.check_in import tickets as check_in_tickets
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from openmeet.web.check_in import pages
from tests.browser.browsers import CHROMIUM, Deployment, context, sign_up
from tests.external_dependencies import needs
from tests.openmeet.site_under_test import CODE_KEY, event_by, person

pytestmark = needs("chromium")

WIDTH, HEIGHT = 640, 480
MODULE = 6

READER = """
([rows, text, left, top, module]) => {
  window.BarcodeDetector = class {
    async detect(video) {
      if (!video.videoWidth) return [];
      const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
      const pen = canvas.getContext("2d");
      pen.drawImage(video, 0, 0);
      const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
      const [wide, high] = [canvas.width / 640, canvas.height / 480];
      let same = 0, all = 0;
      rows.forEach((row, y) => row.forEach((dark, x) => {
        const [px, py] = [(left + (x + 0.5) * module) * wide, (top + (y + 0.5) * module) * high].map(Math.floor);
        all += 1;
        same += (data[4 * (py * canvas.width + px)] < 128) === Boolean(dark);
      }));
      return same / all > 0.97 ? [{ rawValue: text }] : [];
    }
  };
}
"""


def film(matrix: list[list[int]], path: Path) -> tuple[int, int]:
    """A film that shows only this code, as YUV4MPEG2, and the position of its upper left corner."""
    size = len(matrix) * MODULE
    left, top = (WIDTH - size) // 2, (HEIGHT - size) // 2
    light = bytearray(b"\xeb" * (WIDTH * HEIGHT))
    for y, row in enumerate(matrix):
        line = b"".join((b"\x10" if dark else b"\xeb") * MODULE for dark in row)
        for inner in range(MODULE):
            at = (top + y * MODULE + inner) * WIDTH + left
            light[at : at + size] = line
    colours = b"\x80" * (WIDTH * HEIGHT // 2)
    frame = b"FRAME\n" + bytes(light) + colours
    path.write_bytes(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420mpeg2\n".encode() + frame * 10)
    return left, top


async def test_ticket_is_checked_in_by_camera(openmeet: Deployment, tmp_path: Path) -> None:
    """The address in the code on the ticket is read. In a browser without a code reader, there is no button for it."""
    cameras = tmp_path / "camera.y4m"
    async with openmeet.db.transaction() as tx:
        ben = await person(tx, "Ben")
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        camera = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
        arguments = [*CHROMIUM["args"], *camera, f"--use-file-for-fake-video-capture={cameras}"]
        browser = await playwright.chromium.launch(**{**CHROMIUM, "args": arguments})
        stack.push_async_callback(browser.close)
        opened = await stack.enter_async_context(context(browser, openmeet))
        page = await opened.new_page()
        await page.goto("/sign-in")
        await sign_up(page, openmeet, "Ana", "ana@example.org")
        async with openmeet.db.transaction() as tx:
            host = await by_email(tx, "ana@example.org")
            assert host is not None
            today = {"starts": "2026-03-01T18:00", "ends": "2026-03-01T20:00"}
            event = await event_by(tx, Caller(host.id, "Ana"), **today)
            mine = await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        code = check_in_tickets.code_of(CODE_KEY, mine.id)
        address = pages.ticket_url(openmeet.url, event.slug, code)
        matrix = [[int(module) for module in row] for row in segno.make(address, error="m", micro=False).matrix]
        left, top = film(matrix, cameras)

        await page.goto(f"/events/{event.slug}/check-in")
        await expect(page.get_by_role("button", name="Scan with the camera")).to_be_hidden()

        reader = [matrix, address, left, top, MODULE]
        await opened.add_init_script(f"({READER})({reader})".replace("'", '"'))
        await page.goto(f"/events/{event.slug}/check-in")
        await page.get_by_role("button", name="Scan with the camera").click()
        await expect(page.get_by_text("Ben is in")).to_be_visible()
        await expect(page.get_by_role("status").filter(has_text="of 1 person")).to_contain_text("1")
