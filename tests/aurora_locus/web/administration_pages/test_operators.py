"""Operators are added, changed and disabled on their page."""

import pytest

from aurora_locus.accounts import password_reset
from aurora_locus.moderation import operators
from aurora_locus.moderation.roles import ADMINISTRATION, AuditContext, OperatorRole
from groundwork.clock import MINUTE
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.moderation.operators import whole_log
from tests.aurora_locus.visitor import token_in, visitor
from tests.aurora_locus.web.administration_pages.operator_browser import (
    PASSWORD,
    act,
    add_operator,
    sign_in,
    signed_in_operator,
)

sqlite_only = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


async def test_operator_who_is_disabled_is_out_at_once(deployment: Deployment) -> None:
    await add_operator(deployment, "mo", OperatorRole.MODERATOR)
    async with signed_in_operator(deployment, "mo", PASSWORD) as mo:
        assert (await mo.get("/admin")).status_code == 200
        audit = AuditContext(ADMINISTRATION, "left")
        await operators.change(deployment.pds.registry, audit, "mo", OperatorRole.MODERATOR, disabled=True)
        assert (await mo.get("/admin")).headers["location"].startswith("/admin/sign-in")
        assert (await sign_in(mo, "mo", PASSWORD)).status_code == 400
        assert "argon2" not in await whole_log(deployment)


async def test_operators_are_added_and_changed_on_their_page(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    async with signed_in_operator(deployment) as admin:
        fields = {"name": "mo", "role": "moderator", "password": PASSWORD, "reason": "hired"}
        assert (await admin.send("/admin/operators/add", fields, page="/admin/operators")).status_code == 303
        assert (await admin.send("/admin/operators/add", fields, page="/admin/operators")).status_code == 422
        for wrong in (
            {"name": "admin"},
            {"name": "x"},
            {"role": "king"},
            {"password": "short", "name": "no"},
            {"password": "", "name": "nobody"},
        ):
            answer = await admin.send("/admin/operators/add", {**fields, **wrong}, page="/admin/operators")
            assert answer.status_code == 400, wrong
        linked = {"name": "ana", "role": "admin", "did": ana.did, "reason": "hired"}
        assert (await admin.send("/admin/operators/add", linked, page="/admin/operators")).status_code == 303
        async with signed_in_operator(deployment, "mo", PASSWORD) as mo:
            assert (await mo.get("/admin/operators")).status_code == 403
            changed = {"operator": "mo", "role": "admin", "new_password": "another word", "reason": "promoted"}
            assert (await admin.send("/admin/operators/change", changed, page="/admin/operators")).status_code == 303
            assert (await mo.get("/admin")).status_code == 303
            assert (await sign_in(mo, "mo", PASSWORD)).status_code == 400
            assert (await sign_in(mo, "mo", "another word")).status_code == 303
    browser = visitor(deployment)
    await browser.sign_in("ana", remember="yes")
    assert (await browser.send("/admin/sign-in", {"as_account": "yes"})).status_code == 303
    assert "ana" in (await browser.get("/admin")).text
    deployment.clock.turn(20 * MINUTE)
    await browser.send("/admin/sign-out", {}, page="/admin/content")
    again = await browser.send("/admin/sign-in", {"as_account": "yes"})
    assert again.headers["location"].startswith("/sign-in/again")
    await browser.http.aclose()


@sqlite_only
async def test_new_password_of_an_operator_ends_their_sessions(deployment: Deployment) -> None:
    """A new password of an operator's account ends its sessions here, because somebody else may have known the old one."""
    ana = await deployment.sign_up("ana")
    await add_operator(deployment, "ana", OperatorRole.ADMIN, did=ana.did)
    browser = visitor(deployment)
    await browser.sign_in("ana")
    assert (await browser.send("/admin/sign-in", {"as_account": "yes"})).status_code == 303
    assert (await browser.get("/admin")).status_code == 200
    await password_reset.change(deployment.pds.registry, ana.did, "a better one")
    assert (await browser.get("/admin")).headers["location"].startswith("/admin/sign-in")
    await browser.send("/sign-in", {"identifier": "ana.test", "password": "a better one"}, page="/sign-in?another")
    assert (await browser.send("/admin/sign-in", {"as_account": "yes"})).status_code == 303
    assert (await browser.get("/admin")).status_code == 200
    await browser.http.aclose()


@sqlite_only
async def test_refused_password_of_an_operator_changes_nothing_else(deployment: Deployment) -> None:
    await add_operator(deployment, "mo", OperatorRole.MODERATOR)
    changed = {"operator": "mo", "role": "superadmin", "new_password": "short", "reason": "promoted"}
    async with signed_in_operator(deployment) as admin:
        refused = await admin.send("/admin/operators/change", changed, page="/admin/operators")
        assert refused.status_code == 400
    async with deployment.db.reader() as reader:
        found = await operators.find(reader, "mo")
    assert found is not None
    assert found.role is OperatorRole.MODERATOR


@sqlite_only
async def test_admin_cannot_change_an_address(deployment: Deployment) -> None:
    """An admin cannot change an address: a password reset sent to their own would open every account to them."""
    ana = await deployment.sign_up("ana")
    await add_operator(deployment, "ana", OperatorRole.SUPERADMIN, did=ana.did)
    await add_operator(deployment, "mo", OperatorRole.ADMIN)
    async with signed_in_operator(deployment, "mo", PASSWORD) as mo:
        token = token_in(await mo.get(f"/admin/accounts/{ana.did}/change-handle"))
        wish = {"csrf": token, "reason": "because", "sure": "yes", "email": "mo@example.org"}
        assert (await mo.get(f"/admin/accounts/{ana.did}/change-email")).status_code == 403
        assert (await mo.post(f"/admin/accounts/{ana.did}/change-email", wish)).status_code == 403
    assert (await ana.get("com.atproto.server.getSession")).json()["email"] == "ana@example.org"
    async with signed_in_operator(deployment) as admin:
        assert (await act(admin, ana.did, "change-email", email="ana@example.net")).status_code == 303
