"""An operator's browser, signed in to ``/admin``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from aurora_locus.moderation import operators
from aurora_locus.moderation.roles import ADMINISTRATION, AuditContext, OperatorRole
from tests.aurora_locus.deployment import ADMIN_PASSWORD, Deployment
from tests.aurora_locus.moderation.decisions import send_report, upload, write_note
from tests.aurora_locus.visitor import Visitor, visitor

PASSWORD = "a word of an operator"


@asynccontextmanager
async def signed_in_operator(
    deployment: Deployment, name: str = "admin", password: str = ADMIN_PASSWORD
) -> AsyncIterator[Visitor]:
    """A signed-in browser; uses the password from the settings by default."""
    browser = visitor(deployment)
    try:
        answer = await sign_in(browser, name, password)
        assert answer.status_code == 303, answer.text
        yield browser
    finally:
        await browser.http.aclose()


async def sign_in(browser: Visitor, name: str, password: str) -> httpx.Response:
    return await browser.send("/admin/sign-in", {"name": name, "password": password})


async def add_operator(deployment: Deployment, name: str, role: OperatorRole, *, did: str | None = None) -> None:
    """Add an operator."""
    audit = AuditContext(ADMINISTRATION, "hired")
    await operators.add(deployment.pds.registry, audit, name, role, password=None if did else PASSWORD, did=did)


async def act(browser: Visitor, did: str, slug: str, **fields: str) -> httpx.Response:
    """Submit the form of an action."""
    return await browser.send(f"/admin/accounts/{did}/{slug}", {"reason": "because", "sure": "yes", **fields})


async def create_examples_of_pages(deployment: Deployment) -> list[str]:
    """Create something for every page; returns the addresses of the pages."""
    ana = await deployment.sign_up("ana-with-long-name")
    ben = await deployment.sign_up("ben")
    written = await write_note(ana)
    await write_note(ana, blob=(await upload(ana)).json()["blob"])
    strong = {"$type": "com.atproto.repo.strongRef", "uri": written["uri"], "cid": written["cid"]}
    await send_report(ben, strong, reason="Watches, again and again.\n" + "donaudampfschifffahrt" * 5)
    await deployment.administration.post("com.atproto.server.createInviteCodes", {"codeCount": 2, "useCount": 5})
    await add_operator(deployment, "mona", OperatorRole.MODERATOR)
    one = f"/admin/accounts/{ana.did}"
    acts = ("take-down", "suspend", "write", "change-handle", "delete")
    rooms = ("", "/accounts", "/reports", "/reports/1", "/content", "/invites", "/relays", "/storage", "/audit")
    more = ("/settings", "/operators", f"/content?uri={written['uri']}", f"/content?did={ana.did}", "/accounts?q=zzz")
    return [one, *(f"{one}/{act}" for act in acts), *(f"/admin{room}" for room in (*rooms, *more)), "wrong form"]
