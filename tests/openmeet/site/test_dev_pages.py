"""Pages for development: the mailbox contains other people's codes, so only a browser on this machine can see it."""

import re
from pathlib import Path

import httpx
import pytest

from groundwork.clock import HandClock
from groundwork.mail.address import parse_address
from groundwork.mail.contract import Mail, Sender
from groundwork.mail.folder import FolderMailbox
from groundwork.telemetry.metrics import Metrics
from openmeet.app import create_app
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant
from openmeet.web.site.services import Services
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import CODE_KEY
from tests.worker_pool import POOL


@pytest.fixture
async def transport(make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path) -> httpx.ASGITransport:
    kept = FolderMailbox(tmp_path, Sender("OpenMeet", parse_address("openmeet@example.org")), clock)
    await kept.send(
        Mail(
            parse_address("ana@example.org"),
            "Your code",
            "123 456",
            "<one@example.org>",
            html="<p style='color: red'>123 456</p>",
        )
    )
    tenant = Tenant("default", await make_sqlite("openmeet", clock=clock))
    app = create_app(
        Services(Settings(), tenant, CODE_KEY, clock=clock, workers=POOL, dev_mailbox=kept), Metrics("openmeet")
    )
    return httpx.ASGITransport(app=app, client=("127.0.0.1", 5000))


async def status_under(transport: httpx.ASGITransport, host: str, path: str) -> int:
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        answer = await client.get(path, headers={"host": host})
    return answer.status_code


PAGES = pytest.mark.parametrize("path", ["/dev/mail", "/dev/components"])


@PAGES
@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "meet.localhost"])
async def test_local_host_names_show_it(transport: httpx.ASGITransport, host: str, path: str):
    assert await status_under(transport, host, path) == 200


@PAGES
@pytest.mark.parametrize(
    "host", ["evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.1.2", "[", "a@b"]
)
async def test_a_foreign_name_that_resolves_here_shows_nothing(transport: httpx.ASGITransport, host: str, path: str):
    """DNS rebinding: a page whose name now resolves to this machine still sends its own name as the host."""
    assert await status_under(transport, host, path) == 404


@pytest.mark.parametrize("language", ["en", "de"])
async def test_components_are_shown_in_each_language(transport: httpx.ASGITransport, language: str) -> None:
    """The sample texts are not translated, but the texts of the real macros are, and a plural form needs a number."""
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        shown = await client.get("/dev/components", headers={"accept-language": language})
    assert (shown.status_code, f'<html lang="{language}"' in shown.text) == (200, True)


async def test_an_e_mail_is_shown_with_only_its_own_styles(transport: httpx.ASGITransport) -> None:
    """The e-mail is shown to this machine only, like the list. Scripts and remote pictures are blocked."""
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        (path,) = re.findall(r'href="(/dev/mail/[^"]+)"', (await client.get("/dev/mail")).text)
        shown = await client.get(path)
        assert (shown.status_code, shown.text) == (200, "<p style='color: red'>123 456</p>\n")
        assert (
            "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"
            in shown.headers["content-security-policy"]
        )
        assert (await client.get(path, headers={"host": "evil.example"})).status_code == 404
        assert (await client.get("/dev/mail/nothing")).status_code == 404
