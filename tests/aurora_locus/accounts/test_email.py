"""Tokens by e-mail: confirming an address, changing it, and everything that makes a token invalid."""

import asyncio
import inspect
from dataclasses import replace

import httpx
import pytest

from aurora_locus.accounts import sign_in_links
from aurora_locus.accounts.email_tokens import LIFETIME, MAX_WRONG_TRIES, EmailTokens, TokenPurpose
from aurora_locus.accounts.emails import branding_of, email_handler
from groundwork.clock import SECOND
from groundwork.errors import FailureReason, RemoteFailed, RemoteSlow, Why
from groundwork.mail.contract import Mail
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import SERVER, Deployment, Person, statuses, together
from tests.aurora_locus.mailbox import emails_to, newest_token

ANAS = "ana@example.org"
ASK, CONFIRM = f"{SERVER}.requestEmailConfirmation", f"{SERVER}.confirmEmail"
ASK_UPDATE, UPDATE = f"{SERVER}.requestEmailUpdate", f"{SERVER}.updateEmail"


def named(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


async def ask(deployment: Deployment, person: Person, nsid: str = ASK, to: str = ANAS) -> str:
    answer = await person.post(nsid)
    assert answer.status_code == 200, answer.text
    return await newest_token(deployment, to)


async def confirm(person: Person, token: str, email: str = ANAS) -> httpx.Response:
    return await person.post(CONFIRM, {"email": email, "token": token})


async def session(person: Person) -> dict[str, object]:
    return dict((await person.get(f"{SERVER}.getSession")).json())


async def test_token_confirms_once(deployment: Deployment) -> None:
    """A token confirms once, in any spelling; a second use is refused."""
    ana = await deployment.sign_up("ana")
    token = await ask(deployment, ana)
    assert named(await confirm(ana, f" {token.lower()} ", ANAS.upper())) == (200, "")
    assert (await session(ana))["emailConfirmed"] is True
    assert named(await confirm(ana, token)) == (400, "InvalidToken")


async def test_token_used_concurrently_works_once(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    token = await ask(deployment, ana)
    assert statuses(await together(*(confirm(ana, token) for _ in range(5)))) == [200, 400, 400, 400, 400]


async def test_e_mail_names_purpose_and_account(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await ask(deployment, ana)
    (letter,) = await emails_to(deployment, ANAS)
    assert letter.subject == "Your code to confirm your address"
    assert "ana.test" in letter.text


async def test_only_a_hash_is_stored(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    token = await ask(deployment, ana)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select token_hash, email_id from email_tokens")
    assert row is not None
    assert token.encode() not in bytes(row["token_hash"])
    assert EmailTokens(b"another server's key").of_email(row["email_id"]) != token


@pytest.mark.parametrize(("late", "error"), [(0, (200, "")), (SECOND, (400, "ExpiredToken"))])
async def test_token_is_valid_for_fifteen_minutes(deployment: Deployment, late: int, error: tuple[int, str]) -> None:
    ana = await deployment.sign_up("ana")
    started = deployment.clock.now()
    token = await ask(deployment, ana)
    deployment.clock.turn(started + LIFETIME + late - deployment.clock.now())
    assert named(await confirm(ana, token)) == error


async def test_new_token_replaces_the_old(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    old, new = await ask(deployment, ana), await ask(deployment, ana)
    assert old != new
    assert named(await confirm(ana, old)) == (400, "InvalidToken")
    assert named(await confirm(ana, new)) == (200, "")


async def test_ten_wrong_guesses_end_a_token(deployment: Deployment) -> None:
    """Ten wrong guesses invalidate a token; nine do not."""
    ana = await deployment.sign_up("ana")
    for guesses, result in ((MAX_WRONG_TRIES - 1, (200, "")), (MAX_WRONG_TRIES, (400, "InvalidToken"))):
        token = await ask(deployment, ana)
        for _ in range(guesses):
            assert named(await confirm(ana, "AAAAA-AAAAA")) == (400, "InvalidToken")
        assert named(await confirm(ana, token)) == result


async def test_token_is_for_one_purpose_and_one_account(deployment: Deployment) -> None:
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    token = await ask(deployment, ana)
    assert named(await confirm(ben, token, "ben@example.org")) == (400, "InvalidToken")
    reset = await deployment.stranger.post(f"{SERVER}.resetPassword", {"token": token, "password": "another one"})
    assert named(reset) == (400, "InvalidToken")
    assert named(await confirm(ana, token, "ben@example.org")) == (400, "InvalidEmail")
    assert named(await confirm(ana, token)) == (200, "")


async def test_changing_an_unconfirmed_address_needs_no_token(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    assert (await ana.post(ASK_UPDATE)).json() == {"tokenRequired": False}
    assert named(await ana.post(UPDATE, {"email": "New@Example.org"})) == (200, "")
    assert (await session(ana))["email"] == "new@example.org"
    assert (await deployment.sign_in("new@example.org", "password of ana")).status_code == 200


async def test_sign_in_links_end_with_the_address(deployment: Deployment) -> None:
    """Somebody who reads the former mailbox finds no link that still lets an unknown browser try the password."""
    ana = await deployment.sign_up("ana")
    await sign_in_links.send_link(deployment.pds.registry, "ana.test")
    assert await deployment.count("sign_in_links") == 1
    assert named(await ana.post(UPDATE, {"email": "new@example.org"})) == (200, "")
    assert await deployment.count("sign_in_links") == 0


async def test_changing_a_confirmed_address_requires_its_token(deployment: Deployment) -> None:
    """Changing a confirmed address needs its token, which is sent to the old address. The new one is unconfirmed, and
    older tokens are void.
    """
    ana = await deployment.sign_up("ana")
    await confirm(ana, await ask(deployment, ana))
    for_old = await ask(deployment, ana)
    assert named(await ana.post(UPDATE, {"email": "new@example.org"})) == (400, "TokenRequired")
    assert named(await ana.post(UPDATE, {"email": "new@example.org", "token": "AAAAA-AAAAA"})) == (400, "InvalidToken")
    token = await ask(deployment, ana, ASK_UPDATE)
    assert named(await ana.post(UPDATE, {"email": "new@example.org", "token": token})) == (200, "")
    known = await session(ana)
    assert (known["email"], known["emailConfirmed"]) == ("new@example.org", False)
    assert named(await confirm(ana, for_old, "new@example.org")) == (400, "InvalidToken")


async def test_address_of_somebody_else_is_refused_and_costs_no_token(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await deployment.sign_up("ben")
    await confirm(ana, await ask(deployment, ana))
    token = await ask(deployment, ana, ASK_UPDATE)
    assert named(await ana.post(UPDATE, {"email": "ben@example.org", "token": token})) == (400, "InvalidRequest")
    assert named(await ana.post(UPDATE, {"email": "ana@two.example.org", "token": token})) == (200, "")


@pytest.mark.parametrize("email", ["", "ana", "a\x00b@example.org", "a@b", "ana@example.org\nBcc: x@example.org"])
async def test_invalid_address_is_refused(deployment: Deployment, email: str) -> None:
    ana = await deployment.sign_up("ana")
    assert named(await ana.post(UPDATE, {"email": email})) == (400, "InvalidRequest")
    assert named(await confirm(ana, "AAAAA-AAAAA", email)) == (400, "InvalidEmail")


async def test_server_without_mail_says_so(make_deployment: MakeDeployment) -> None:
    """A server without mail says so instead of letting people wait for an e-mail, with the same response for every
    address.
    """
    public = await make_deployment(dev_mode=False, hostname="pds.example.org")
    for email in (ANAS, "nobody@example.org"):
        answer = await public.stranger.post(f"{SERVER}.requestPasswordReset", {"email": email})
        assert named(answer) == (400, "InvalidRequest")
        assert "PDS_EMAIL_SMTP_URL" in answer.json()["message"]


class Postman:
    """A mailer with given responses."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)
        self.sent: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        self.sent.append(mail)
        failure = self.failures.pop(0)
        if failure is not None:
            raise failure

    async def close(self) -> None:
        """Nothing to close."""


def _database_of(task: asyncio.Task[object]) -> object:
    coroutine = task.get_coro()
    assert inspect.iscoroutine(coroutine)
    return inspect.getcoroutinelocals(coroutine)["db"]


async def queued(deployment: Deployment, person: Person) -> None:
    """An e-mail that is not sent yet, and that the server's own polling worker leaves alone."""
    assert (await person.post(ASK)).status_code == 200
    await emails_to(deployment, ANAS)
    # Servers that last for the whole session have such a worker too.
    (worker,) = (
        task
        for task in asyncio.all_tasks()
        if task.get_name() == "pds jobs" and _database_of(task) is deployment.pds.registry.db
    )
    worker.cancel()
    await asyncio.wait([worker])
    await deployment.db.write(lambda w: w.execute("update outbox_jobs set state = 'due'"))


async def pay_once(deployment: Deployment, postman: Postman) -> None:
    registry = deployment.pds.registry
    branding = replace(branding_of(deployment.settings), hostname="pds.example.org")
    handler = email_handler(registry.db, registry.email_tokens, postman, branding)
    await dispatcher.run_once(registry.db, {"mail": one_job_per_call(handler)})
    deployment.clock.turn(30 * SECOND)


async def test_failed_e_mail_is_sent_again_with_the_same_message_id(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await queued(deployment, ana)
    postman = Postman(RemoteFailed("down"), None)
    for _ in range(3):
        await pay_once(deployment, postman)
    assert len(postman.sent) == 2
    assert postman.sent[0].message_id == postman.sent[1].message_id


async def test_e_mail_with_a_lost_response_is_sent_twice_at_most(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await queued(deployment, ana)
    postman = Postman(RemoteSlow("lost"), RemoteSlow("lost"))
    for _ in range(3):
        await pay_once(deployment, postman)
    assert len(postman.sent) == 2


@pytest.mark.parametrize("why", ["down", FailureReason.UNREACHABLE()], ids=["sentence", "reason"])
async def test_a_lost_response_is_remembered_while_the_server_is_down(deployment: Deployment, why: Why) -> None:
    """Nobody gets a third copy, because the failure in between does not count as a new beginning."""
    ana = await deployment.sign_up("ana")
    await queued(deployment, ana)
    postman = Postman(RemoteSlow("lost"), RemoteFailed(why), RemoteSlow("lost"))
    for _ in range(5):
        await pay_once(deployment, postman)
    assert len(postman.sent) == 3


async def test_e_mail_of_a_used_token_is_not_sent(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await queued(deployment, ana)
    await deployment.db.write(lambda w: w.execute("delete from email_tokens"))
    postman = Postman()
    await pay_once(deployment, postman)
    assert postman.sent == []


def test_token_is_valid_for_one_purpose() -> None:
    """A token is valid for one purpose, because its hash differs for each."""
    tokens = EmailTokens(b"key")
    assert len({tokens.hash(purpose, "AAAAA-AAAAA") for purpose in TokenPurpose}) == len(TokenPurpose)
