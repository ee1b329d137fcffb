"""An operator's browser, signed in to ``/admin``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from aurora_locus.moderation import operators
from aurora_locus.moderation.roles import ADMINISTRATION, AuditContext, OperatorRole
from tests.aurora_locus.deployment import ADMIN_PASSWORD, Deployment
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
