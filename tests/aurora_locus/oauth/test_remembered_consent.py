"""When an app that was authorized before must ask its person again."""

from collections.abc import Awaitable, Callable

import pytest

from at_protocol.syntax.did import Did
from aurora_locus.accounts import password_reset
from aurora_locus.oauth import authorization
from tests.aurora_locus.deployment import SERVER, Deployment, Person
from tests.aurora_locus.moderation.decisions import account, decide
from tests.aurora_locus.oauth.apps import App
from tests.aurora_locus.oauth.conftest import Confidential
from tests.aurora_locus.oauth.consent_pages import ada, answer_to_app, approve_scopes, open_consent_page
from tests.aurora_locus.visitor import Visitor, heading_of

__all__ = ["ada"]

APPS = "/account/apps"


async def remembered(deployment: Deployment, app: App, did: Did) -> tuple[str, ...] | None:
    """The scopes that the app would be granted without a page."""
    request = await app.opened(await app.pushed())
    async with deployment.db.reader() as reader:
        return await authorization.remembered_grant(reader, request, did)


async def reset_password(deployment: Deployment, person: Person) -> None:
    await password_reset.change(deployment.pds.registry, person.did, "a password nobody else knows")


async def take_down_and_lift(deployment: Deployment, person: Person) -> None:
    await decide(deployment, account(person), takedown=True)
    await decide(deployment, account(person), takedown=False)


async def leave_and_return(_deployment: Deployment, person: Person) -> None:
    for method, body in (("deactivateAccount", {}), ("activateAccount", None)):
        answer = await person.post(f"{SERVER}.{method}", body)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("end_sessions", [reset_password, take_down_and_lift, leave_and_return])
async def test_an_app_asks_again_after_all_sessions_were_ended(
    deployment: Deployment, confidential: Confidential, end_sessions: Callable[[Deployment, Person], Awaitable[None]]
) -> None:
    """Consent does not outlive the sessions of the account: somebody who had the password may have given it. Consent
    given in the same second afterwards is remembered.
    """
    ana, app = await deployment.sign_up("ana"), confidential()
    await app.let_in(ana.did)
    assert await remembered(deployment, app, ana.did) is not None
    await end_sessions(deployment, ana)
    assert await remembered(deployment, app, ana.did) is None
    await app.code(ana.did)
    assert await remembered(deployment, app, ana.did) is not None


async def test_an_app_asks_again_after_it_was_removed(ada: Visitor, confidential: Confidential) -> None:
    app = confidential()
    await ada.sign_in("ada")
    code = (await approve_scopes(ada, await open_consent_page(ada, app), app))["code"]
    assert (await app.spend(code)).status_code == 200
    assert "code" in answer_to_app(await open_consent_page(ada, app), app)
    page = await ada.get(APPS)
    session = page.text.partition('name="app" value="')[2].partition('"')[0]
    assert (await ada.send(APPS, {"app": session})).status_code == 303
    assert heading_of(await open_consent_page(ada, app)).startswith("Let ")


async def test_removing_an_app_forgets_no_other_app_and_no_other_person(
    deployment: Deployment, confidential: Confidential
) -> None:
    ana, ben, app = await deployment.sign_up("ana"), await deployment.sign_up("ben"), confidential()
    for person in (ana, ben):
        await app.let_in(person.did)
    server = deployment.pds.authorization
    async with deployment.db.transaction() as tx:
        (session,) = await authorization.list_sessions(server, tx, ana.did)
        assert await authorization.revoke_session(server, tx, ben.did, session.id) is False
    assert await remembered(deployment, app, ana.did) is not None
    assert await remembered(deployment, app, ben.did) is not None
