"""An account that was taken down can export its data and leave, but do nothing else."""

from typing import Any

import httpx
import pytest

from at_protocol.syntax.datetime import format_datetime
from aurora_locus.accounts import deletion
from aurora_locus.accounts.activation import KEPT_AT_LEAST
from aurora_locus.moderation.roles import ADMINISTRATION, AuditContext
from aurora_locus.moderation.subject_actions import SubjectStatusRequest, decide_account
from aurora_locus.web.browser_sessions.authentication import PROOF_LASTS
from groundwork.clock import DAY, SECOND, Instant
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import IDENTITY, SERVER, Deployment, Person
from tests.aurora_locus.mailbox import newest_token
from tests.aurora_locus.moderation.decisions import account, decide, sign_in_taken_down, take_down, write_note
from tests.aurora_locus.visitor import token_in, visitor


def named(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


async def test_account_that_was_taken_down_may_leave(deployment: Deployment) -> None:
    """An account that was taken down may leave, with its repository, its preferences and a token for its next server."""
    ana = await deployment.sign_up("ana")
    await write_note(ana)
    await take_down(deployment, ana)
    answer = await sign_in_taken_down(deployment, ana)
    assert (answer.json()["active"], answer.json()["status"]) == (False, "takendown")
    leaving = deployment.person(answer)
    export = await deployment.http.get(
        "/xrpc/com.atproto.sync.getRepo", params={"did": ana.did}, headers=leaving.headers
    )
    assert export.status_code == 200
    audience = {"aud": "did:web:next.example.org"}
    for allowed in (
        await leaving.get(f"{SERVER}.getSession"),
        await leaving.get("app.bsky.actor.getPreferences"),
        await leaving.get(f"{SERVER}.checkAccountStatus"),
        await leaving.get(f"{SERVER}.getServiceAuth", lxm=f"{SERVER}.createAccount", **audience),
    ):
        assert named(allowed) == (200, "")
    other = await leaving.get(f"{SERVER}.getServiceAuth", lxm="app.bsky.feed.getTimeline", **audience)
    assert named(other) == (403, "Forbidden")


async def test_account_that_was_taken_down_is_deactivated_at_the_end_of_a_migration(deployment: Deployment) -> None:
    """The last step of a migration, which the new server's tools call here, works for an account that was taken down. The
    takedown stays, nothing is deleted, and the account is deactivated when the takedown is lifted.
    """
    ana = await deployment.sign_up("ana")
    await take_down(deployment, ana)
    leaving = deployment.person(await sign_in_taken_down(deployment, ana))
    before = await deployment.announced(ana.did)
    body = {"deleteAfter": "2000-01-01T00:00:00Z"}
    assert named(await leaving.post(f"{SERVER}.deactivateAccount", body)) == (200, "")
    assert await deployment.announced(ana.did) == before
    assert await account_status(deployment, ana) == "takendown"
    deployment.clock.turn(30 * DAY)
    assert await deletion.delete_forgotten(deployment.pds.registry) == 0
    await decide(deployment, account(ana), takedown=False)
    assert await account_status(deployment, ana) == "deactivated"


@pytest.mark.parametrize("decision", [{"takedown": "1"}, {"suspended": True}])
async def test_account_is_not_deleted_while_the_host_may_need_it(
    deployment: Deployment, decision: dict[str, Any]
) -> None:
    """A deadline that the owner set before the host decided does not apply until the decision is lifted. Then the owner
    has some time to come back.
    """
    ana = await deployment.sign_up("ana")
    registry, audit = deployment.pds.registry, AuditContext(ADMINISTRATION, "reported")
    until = format_datetime(Instant(deployment.clock.now() + 5 * DAY))
    assert named(await ana.post(f"{SERVER}.deactivateAccount", {"deleteAfter": until})) == (200, "")
    await decide_account(registry, audit, ana.did, SubjectStatusRequest(**decision))
    deployment.clock.turn(30 * DAY)
    assert await deletion.delete_forgotten(registry) == 0
    await decide_account(registry, audit, ana.did, SubjectStatusRequest(lift=True, suspended=False))
    assert await account_status(deployment, ana) == "deactivated"
    assert await deletion.delete_forgotten(registry) == 0
    deployment.clock.turn(KEPT_AT_LEAST)
    assert await deletion.delete_forgotten(registry) == 1


async def test_code_from_before_the_takedown_deletes_nothing(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    assert named(await ana.post(f"{SERVER}.requestAccountDelete")) == (200, "")
    token = await newest_token(deployment, "ana@example.org")
    await take_down(deployment, ana)
    body = {"did": ana.did, "password": "password of ana", "token": token}
    assert named(await deployment.stranger.post(f"{SERVER}.deleteAccount", body)) == (401, "AccountTakedown")
    assert await account_status(deployment, ana) == "takendown"


async def test_taken_down_account_can_do_nothing_else(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await take_down(deployment, ana)
    leaving = deployment.person(await sign_in_taken_down(deployment, ana))
    record = {"repo": ana.did, "collection": "org.example.note", "record": {"text": "hello"}}
    for refused in (
        await leaving.post("com.atproto.repo.createRecord", record),
        await leaving.post(f"{SERVER}.activateAccount"),
        await leaving.post(f"{SERVER}.createAppPassword", {"name": "phone"}),
        await leaving.post(f"{SERVER}.updateEmail", {"email": "new@example.org"}),
        await leaving.post(f"{IDENTITY}.updateHandle", {"handle": "anabel.test"}),
        await leaving.post("app.bsky.actor.putPreferences", {"preferences": []}),
        await leaving.bearing(leaving.refresh_token).post(f"{SERVER}.refreshSession"),
    ):
        assert named(refused) == (401, "AccountTakedown")


async def test_app_password_of_a_taken_down_account_is_refused(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    password = (await ana.post(f"{SERVER}.createAppPassword", {"name": "phone"})).json()["password"]
    await take_down(deployment, ana)
    assert named(await sign_in_taken_down(deployment, ana, password)) == (401, "AccountTakedown")


async def test_allow_takendown_has_no_effect_on_other_accounts(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    session = deployment.person(await sign_in_taken_down(deployment, ana))
    assert await write_note(session)
    await take_down(deployment, ana)
    await decide(deployment, account(ana), takedown=False)
    back = deployment.person(await sign_in_taken_down(deployment, ana))
    assert await write_note(back)


async def test_account_that_was_taken_down_can_export_on_the_page(deployment: Deployment) -> None:
    """On the pages, an account that was taken down can export everything. Signing in leads to the one page that
    remains; every other page says why, and links there.
    """
    ana = await deployment.sign_up("ana")
    await write_note(ana)
    await take_down(deployment, ana)
    browser = visitor(deployment)
    signed_in = await browser.sign_in("ana", next="/account/password", remember="yes")
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/account/export")
    archive = await browser.send("/account/export", {})
    assert (archive.status_code, archive.headers["content-type"]) == (200, "application/zip")
    for path in ("/account", "/account/password", "/account/email", "/account/delete", "/account/deactivate"):
        closed = await browser.get(path)
        assert closed.status_code == 403, path
        assert "taken down" in closed.text
        assert 'href="/account/export"' in closed.text
    token = token_in(await browser.get("/account/export"))
    hidden = await browser.post("/account/deactivate", {"csrf": token, "act": "activate"})
    assert hidden.status_code == 403
    assert await account_status(deployment, ana) == "takendown"
    # The proof of the password expires as for anybody else.
    deployment.clock.turn(PROOF_LASTS + SECOND)
    assert (await browser.get("/account/export")).headers["location"].startswith("/sign-in/again")
    again = await browser.send("/sign-in/again", {"password": "password of ana", "next": "/account/export"})
    assert again.headers["location"] == "/account/export"
    assert (await browser.get("/account/export")).status_code == 200
    await browser.http.aclose()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"contact_email_address": "ops@town.example"}, "mailto:ops@town.example"),
        ({"support_url": "https://town.example/help"}, 'mistake? <a href="https://town.example/help">'),
        ({}, "Tell the people who run"),
    ],
)
async def test_owner_of_a_taken_down_account_reads_where_to_object(
    make_deployment: MakeDeployment, settings: dict[str, str], said: str
) -> None:
    deployment = await make_deployment(**settings)
    await take_down(deployment, await deployment.sign_up("ana"))
    browser = visitor(deployment)
    await browser.sign_in("ana")
    assert said in (await browser.get("/account/export")).text.partition("<main")[2].partition("</main>")[0]
    await browser.http.aclose()


async def account_status(deployment: Deployment, person: Person) -> str:
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select status from repositories where did = :did", did=person.did)
    assert row is not None
    return str(row["status"])
