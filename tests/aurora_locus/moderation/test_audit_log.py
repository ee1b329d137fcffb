"""The audit log: written in the transaction of the action, and never changed."""

import pytest

from at_protocol.syntax.did import Did
from aurora_locus.moderation import account_actions, subject_actions
from aurora_locus.moderation.roles import AuditContext, OperatorAction, OperatorRole, PdsOperator
from aurora_locus.moderation.subject_actions import SubjectStatusRequest
from groundwork.errors import Forbidden, InvalidInput, NotFound
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.moderation.decisions import account, decide, take_down
from tests.aurora_locus.moderation.operators import ADMIN, acts, entries, whole_log

MODERATOR = AuditContext(PdsOperator("mo", OperatorRole.MODERATOR), "because")
NOBODY = Did("did:plc:ragtjsm2j2vknwkz3zp4oxrd")


async def test_entry_has_actor_reason_and_changes(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await subject_actions.decide_account(
        deployment.pds.registry, MODERATOR, ana.did, SubjectStatusRequest(takedown="case 7")
    )
    (entry,) = await entries(deployment)
    assert (entry.actor, entry.role, entry.action) == ("mo", OperatorRole.MODERATOR, OperatorAction.TAKE_DOWN)
    assert (entry.subject, entry.reason, entry.at) == (ana.did, "because", deployment.clock.now())
    assert (entry.before, entry.after) == ({"status": "active"}, {"status": "takendown", "takedown": "case 7"})


@pytest.mark.parametrize(
    "tampering",
    [
        "update audit_log set actor = 'nobody'",
        "delete from audit_log",
        "delete from audit_log where 1 = 0 or actor = 'admin'",
    ],
)
async def test_entries_cannot_be_changed_or_deleted(deployment: Deployment, tampering: str) -> None:
    """The database refuses to change or delete entries, even with its password."""
    ana = await deployment.sign_up("ana")
    await take_down(deployment, ana)
    before = await whole_log(deployment)
    with pytest.raises(Exception, match="append-only"):
        await deployment.db.write(lambda w: w.execute(tampering))
    assert await whole_log(deployment) == before != ""


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_entries_cannot_be_replaced(deployment: Deployment) -> None:
    """Replacing an entry is refused too; in SQLite that would delete a row without running the delete trigger."""
    ana = await deployment.sign_up("ana")
    await take_down(deployment, ana)
    replacing = (
        "insert or replace into audit_log select id, at, 'x', role, action, subject, reason, report_id, before, after "
        "from audit_log"
    )
    with pytest.raises(Exception, match="append-only"):
        await deployment.db.write(lambda w: w.execute(replacing))
    assert [entry.actor for entry in await entries(deployment)] == ["admin"]


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_log_cannot_be_emptied(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await take_down(deployment, ana)
    with pytest.raises(Exception, match="append-only"):
        await deployment.db.write(lambda w: w.execute("truncate audit_log"))
    assert await acts(deployment) == ["subject.take_down"]


async def test_action_and_log_entry_succeed_or_fail_together(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    registry = deployment.pds.registry
    with pytest.raises(NotFound):
        await subject_actions.decide_account(registry, MODERATOR, NOBODY, SubjectStatusRequest(takedown="x"))
    with pytest.raises(Forbidden):
        await account_actions.delete(registry, MODERATOR, ana.did)
    too_long = AuditContext(MODERATOR.by, "x" * 20_001)
    with pytest.raises(InvalidInput):
        await subject_actions.decide_account(registry, too_long, ana.did, SubjectStatusRequest(takedown="x"))
    assert await entries(deployment) == []
    assert (await deployment.announced(ana.did))[-1] == "sync"
    assert (await ana.get("com.atproto.server.getSession")).json()["active"] is True


async def test_log_contains_nothing_secret(deployment: Deployment) -> None:
    """The log contains no addresses, passwords or codes, because an append-only log can never be cleaned."""
    ana = await deployment.sign_up("ana")
    host = deployment.administration
    codes = (await host.post("com.atproto.server.createInviteCode", {"useCount": 1})).json()["code"]
    for nsid, body in (
        ("updateAccountEmail", {"account": ana.did, "email": "secret@example.org"}),
        ("updateAccountPassword", {"did": ana.did, "password": "a new password"}),
        ("sendEmail", {"recipientDid": ana.did, "senderDid": ana.did, "content": "private words", "subject": "Hello"}),
        ("deleteAccount", {"did": ana.did}),
    ):
        answer = await host.post(f"{ADMIN}.{nsid}", body)
        assert answer.status_code == 200, answer.text
    log = await whole_log(deployment)
    for secret in ("secret@example.org", "ana@example.org", "a new password", "private words", codes, "argon2"):
        assert secret not in log
    assert await acts(deployment, subject=ana.did) == [
        "account.change_email", "account.set_password", "account.send_email", "account.delete",
    ]  # fmt: skip


async def test_log_is_read_in_pages_and_by_subject(deployment: Deployment) -> None:
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    for number in range(3):
        await decide(deployment, account(ana), takedown=number % 2 == 0)
        await decide(deployment, account(ben))
    everything = await entries(deployment)
    assert [entry.subject for entry in everything] == [ana.did, ben.did] * 3
    assert await entries(deployment, before=everything[2].id) == everything[:2]
    assert await acts(deployment, subject=ana.did) == ["subject.take_down", "subject.restore", "subject.take_down"]
    assert await acts(deployment, action="account.announce") == ["account.announce"] * 3
    assert await acts(deployment, actor="nobody") == []
