"""Operators read handles, not DIDs."""

from typing import Any

from aurora_locus.web.administration_pages import accounts
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.web.administration_pages.operator_browser import act, signed_in_operator


async def test_accounts_are_named_by_their_handles(deployment: Deployment) -> None:
    """In the log, which can be searched by them, and in the list of codes."""
    ana = await deployment.sign_up("ana")
    await deployment.administration.post("com.atproto.server.createInviteCode", {"useCount": 1, "forAccount": ana.did})
    async with signed_in_operator(deployment) as admin:
        await act(admin, ana.did, "announce")
        link = f'<a href="/admin/accounts/{ana.did}">@ana.test</a>'
        assert link in (await admin.get("/admin/audit")).text
        assert link in (await admin.get("/admin/audit", subject="@ana.test")).text
        assert link not in (await admin.get("/admin/audit", subject="@ben.test")).text
        assert link in (await admin.get("/admin/invites")).text


async def test_accounts_are_listed_by_handle(deployment: Deployment, monkeypatch: Any) -> None:
    for name in ("cleo", "ana", "ben"):
        await deployment.sign_up(name)
    monkeypatch.setattr(accounts, "PAGE", 2)
    async with signed_in_operator(deployment) as admin:
        first = (await admin.get("/admin/accounts")).text
        assert first.index("@ana.test") < first.index("@ben.test")
        assert "@cleo.test" not in first
        rest = (await admin.get("/admin/accounts", after="ben.test")).text
        assert "@cleo.test" in rest
        assert "@ben.test" not in rest
        assert "after=ben.test" in first
