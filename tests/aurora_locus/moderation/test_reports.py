"""Reports: made by accounts of this server, handled by operators; every text is retained."""

import pytest

from aurora_locus.moderation import reports, subject_actions
from aurora_locus.moderation.reports import ReportState
from aurora_locus.moderation.roles import AuditContext, OperatorRole, PdsOperator
from aurora_locus.moderation.subject_actions import SubjectStatusRequest
from groundwork.errors import Forbidden, InvalidInput, NotFound
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.moderation.decisions import (
    CREATE_REPORT,
    SPAM_REASON,
    account,
    record,
    send_report,
    sign_in_taken_down,
    take_down,
    write_note,
)
from tests.aurora_locus.moderation.operators import entries

MODERATOR = PdsOperator("mo", OperatorRole.MODERATOR)
ADMIN = PdsOperator("ad", OperatorRole.ADMIN)


async def found(deployment: Deployment, number: int) -> reports.PdsReport:
    async with deployment.db.reader() as reader:
        return await reports.find(reader, number)


async def test_report_is_stored_unchanged(deployment: Deployment) -> None:
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    written = await write_note(ana)
    tool = {"name": "app", "meta": {"version": 1, "post": {"$link": written["cid"]}, "key": {"$bytes": "AQI"}}}
    answer = await send_report(ben, record(written), reason="look", modTool=tool)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["reportedBy"], said["subject"], said["reason"]) == (ben.did, record(written), "look")
    kept = await found(deployment, said["id"])
    assert (kept.reported_by, kept.did, kept.uri, kept.cid) == (ben.did, ana.did, written["uri"], written["cid"])
    assert (kept.state, kept.reason_type, kept.tool) == (ReportState.OPEN, SPAM_REASON, tool)
    whole = (await send_report(ben, account(ana))).json()
    assert whole["id"] > said["id"]
    assert "reason" not in whole


async def test_account_that_was_taken_down_can_only_appeal(deployment: Deployment) -> None:
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    await take_down(deployment, ana)
    leaving = deployment.person(await sign_in_taken_down(deployment, ana))
    for reason in ("com.atproto.moderation.defs#reasonAppeal", "tools.ozone.report.defs#reasonAppeal"):
        answer = await send_report(leaving, account(ana), reasonType=reason, reason="why?")
        assert answer.status_code == 200, answer.text
    refused = await send_report(leaving, account(ben))
    assert (refused.status_code, refused.json()["error"]) == (401, "AccountTakedown")
    assert await deployment.count("reports") == 2


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_invalid_reports_are_refused(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    assert (await send_report(deployment.stranger, account(ana))).json()["error"] == "AuthMissing"
    for body in (
        {"reasonType": SPAM_REASON},
        {"subject": account(ana)},
        {"reasonType": SPAM_REASON, "subject": {"$type": "org.example.other"}},
        {"reasonType": SPAM_REASON, "subject": account(ana), "reason": "x" * 20_001},
        {"reasonType": SPAM_REASON, "subject": account(ana), "modTool": {"name": "x" * 5000}},
        {
            "reasonType": SPAM_REASON,
            "subject": record({"uri": "at://ana.test/org.example.note/x", "cid": "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"}),
        },
    ):  # fmt: skip
        answer = await ana.post(CREATE_REPORT, body)
        assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequest"), answer.text
    assert await deployment.count("reports") == 0


async def test_queue_shows_notes_states_and_the_resulting_action(deployment: Deployment) -> None:
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    numbers = [(await send_report(ben, account(ana))).json()["id"] for _ in range(3)]
    registry = deployment.pds.registry
    await reports.work_on(registry, AuditContext(MODERATOR, "looking at it"), numbers[0], ReportState.ACKNOWLEDGED)
    await reports.work_on(registry, AuditContext(MODERATOR, "asked for advice"), numbers[0], None)
    audit = AuditContext(MODERATOR, "spam it is", numbers[0])
    await subject_actions.decide_account(registry, audit, ana.did, SubjectStatusRequest(takedown="report"))
    await reports.work_on(registry, AuditContext(MODERATOR, "taken down"), numbers[0], ReportState.RESOLVED)
    story = await entries(deployment, report=numbers[0])
    assert [(entry.action.value, entry.reason) for entry in story] == [
        ("report.work_on", "looking at it"),
        ("report.work_on", "asked for advice"),
        ("subject.take_down", "spam it is"),
        ("report.work_on", "taken down"),
    ]
    async with deployment.db.reader() as reader:
        waiting = await reports.page(reader, states=reports.UNRESOLVED)
        about = await reports.page(reader, subject=ana.did, limit=2)
        rest = await reports.page(reader, subject=ana.did, before=about[-1].id)
        counted = await reports.counts(reader)
    assert [one.id for one in waiting] == numbers[:0:-1]
    assert [one.id for one in about + rest] == numbers[::-1]
    assert {state: n for state, (n, _) in counted.items()} == {ReportState.OPEN: 2, ReportState.RESOLVED: 1}


async def test_escalated_report_waits_for_an_admin(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    number = (await send_report(ana, account(ana))).json()["id"]
    registry = deployment.pds.registry
    await reports.work_on(registry, AuditContext(MODERATOR), number, ReportState.ESCALATED)
    with pytest.raises(Forbidden):
        await reports.work_on(registry, AuditContext(MODERATOR, "never mind"), number, ReportState.RESOLVED)
    await reports.work_on(registry, AuditContext(MODERATOR, "a note is welcome"), number, None)
    await reports.work_on(registry, AuditContext(ADMIN), number, ReportState.RESOLVED)
    assert (await found(deployment, number)).state is ReportState.RESOLVED
    with pytest.raises(InvalidInput):
        await reports.work_on(registry, AuditContext(ADMIN, " "), number, ReportState.RESOLVED)
    with pytest.raises(NotFound):
        await reports.work_on(registry, AuditContext(ADMIN, "x"), number + 1, None)
    assert len(await entries(deployment)) == 3
