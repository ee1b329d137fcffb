"""The operators' pages over HTTP: who gets in, what each action does, what is refused."""

from pathlib import Path
from typing import Any

import pytest

from aurora_locus.accounts.limits import OPERATOR_SIGN_IN, effective_limit
from aurora_locus.accounts.second_factors import queries as factors
from aurora_locus.administration.queries import dashboard
from aurora_locus.moderation.roles import LEAST_ROLE, OperatorAction, OperatorRole
from aurora_locus.settings import PdsSettings
from aurora_locus.web.administration_pages.account_actions import ACCOUNT_ACTIONS
from aurora_locus.web.administration_pages.server_pages import settings_shown
from groundwork.clock import HOUR
from groundwork.settings import Secret
from tests.aurora_locus.deployment import ADMIN_PASSWORD, SERVER, Deployment
from tests.aurora_locus.mailbox import emails_to
from tests.aurora_locus.moderation.decisions import send_report, upload, write_note
from tests.aurora_locus.moderation.operators import acts, entries
from tests.aurora_locus.page_addresses import OPERATOR_PAGES
from tests.aurora_locus.visitor import heading_of, problems_in, token_in, visitor
from tests.aurora_locus.web.administration_pages.operator_browser import (
    PASSWORD,
    act,
    add_operator,
    sign_in,
    signed_in_operator,
)

sqlite_only = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


async def test_account_is_taken_down_and_restored_from_its_page(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    async with signed_in_operator(deployment) as admin:
        page = await admin.get(f"/admin/accounts/{ana.did}")
        assert heading_of(page) == "@ana.test"
        assert "ana@example.org" in page.text
        done = await act(admin, ana.did, "take-down", reference="case 7")
        assert (done.status_code, done.headers["location"]) == (303, f"/admin/accounts/{ana.did}")
        assert (await deployment.announced(ana.did))[-1] == "account takendown"
        assert "under case 7" in (await admin.get(f"/admin/accounts/{ana.did}")).text
        await act(admin, ana.did, "restore")
        assert (await deployment.announced(ana.did))[-1] == "sync"
    assert [(entry.actor, entry.reason) for entry in await entries(deployment)] == [("admin", "because")] * 2


async def test_every_action_on_an_account_works(deployment: Deployment) -> None:
    """Every action on an account works, in an order in which each one changes something."""
    ana = await deployment.sign_up("ana")
    told: dict[str, Any] = {
        "suspend": {"days": "3"},
        "write": {"subject": "Hello", "content": "Please\r\nstop."},
        "change-email": {"email": "new@example.org"},
        "change-handle": {"new_handle": "anabel.test"},
        "set-quota": {"quota": "2 MB"},
        "delete": {"handle": "@Anabel.test"},
    }
    order = [
        "suspend", "end-suspension", "take-down", "restore", "deactivate", "reactivate", "announce", "disable-invites",
        "enable-invites", "write", "send-reset", "remove-second-factors", "change-email", "change-handle", "set-quota", "delete",
    ]  # fmt: skip
    assert sorted(order) == sorted(ACCOUNT_ACTIONS)
    await deployment.pds.registry.db.write(lambda w: factors.set_mail(w, ana.did, is_on=True))
    sent = {}
    async with signed_in_operator(deployment) as admin:
        for slug in order:
            answer = await act(admin, ana.did, slug, **told.get(slug, {}))
            assert answer.status_code == 303, (slug, problems_in(answer), answer.text[:2000])
            if slug == "remove-second-factors":
                sent = {letter.subject: letter.text for letter in await emails_to(deployment, "ana@example.org")}
        assert (await admin.get(f"/admin/accounts/{ana.did}")).status_code == 404
    assert await acts(deployment) == [ACCOUNT_ACTIONS[slug].act.value for slug in order]
    assert sent["Hello"].splitlines() == ["Please", "stop."]
    assert "Your code for a new password" in sent
    assert "If you didn’t ask for this, change your password" in sent["Two-step sign-in is off"]


@sqlite_only
async def test_forms_require_a_reason_and_a_confirmation(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    async with signed_in_operator(deployment) as admin:
        for slug, fields, problems in (
            ("take-down", {"sure": "yes"}, {"reason"}),
            ("take-down", {"reason": "x"}, {"sure"}),
            ("delete", {"reason": "x", "handle": "ben.test"}, {"handle"}),
            ("suspend", {"reason": "x", "sure": "yes", "days": "8"}, {"days"}),
            ("change-email", {"reason": "x", "sure": "yes", "email": "nothing"}, {"email"}),
            ("restore", {"reason": "x", "report": "first"}, {"report"}),
            ("set-quota", {"reason": "x", "quota": "much"}, {"quota"}),
        ):
            answer = await admin.send(f"/admin/accounts/{ana.did}/{slug}", fields)
            assert (answer.status_code, set(problems_in(answer))) == (400, problems), slug
        taken = await act(admin, ana.did, "change-handle", new_handle="ab.test")
        assert taken.status_code in {400, 422}
        assert 'class="problems"' in taken.text
    assert await deployment.count("audit_log") == 0
    assert (await ana.get(f"{SERVER}.getSession")).json()["active"] is True


@sqlite_only
async def test_anonymous_visitors_and_accounts_are_redirected(deployment: Deployment) -> None:
    """Strangers and accounts are redirected to the operators' sign-in page, and from there back."""
    ana = await deployment.sign_up("ana")
    browser = visitor(deployment)
    await browser.sign_in("ana")
    for path in [f"/admin{page}" for page in OPERATOR_PAGES] + [f"/admin/accounts/{ana.did}/delete"]:
        answer = await browser.get(path)
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            f"/admin/sign-in?next={path.replace('/', '%2F').replace(':', '%3A')}",
        )
    csrf = token_in(await browser.get("/admin/sign-in"))
    answer = await browser.post(
        f"/admin/accounts/{ana.did}/delete", {"csrf": csrf, "reason": "x", "handle": "ana.test"}
    )
    assert answer.headers["location"].startswith("/admin/sign-in")
    assert heading_of(await browser.get("/admin/sign-in")) == "Administration"
    for name, password in (("admin", "wrong"), ("nobody", "wrong"), ("admin", ""), ("", ADMIN_PASSWORD)):
        wrong = await sign_in(browser, name, password)
        assert (wrong.status_code, problems_in(wrong)) == (400, {"password": "Wrong name or password."})
    assert (await ana.get(f"{SERVER}.getSession")).status_code == 200
    await browser.http.aclose()


@sqlite_only
async def test_form_from_another_site_or_session_is_refused(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    fields = {"reason": "x", "sure": "yes"}
    async with signed_in_operator(deployment) as admin:
        path = f"/admin/accounts/{ana.did}/take-down"
        csrf = token_in(await admin.get(path))
        crossed = {**admin.sends, "sec-fetch-site": "cross-site", "origin": "https://evil.example"}
        assert (await admin.http.post(path, data={"csrf": csrf, **fields}, headers=crossed)).status_code == 403
        assert (await admin.post(path, fields)).status_code == 403
        assert (await admin.post(path, {"csrf": "x" * 32, **fields})).status_code == 403
    assert await deployment.count("audit_log") == 0


@sqlite_only
@pytest.mark.parametrize("role", OperatorRole, ids=str)
async def test_pages_are_open_to_the_roles_of_the_table(deployment: Deployment, role: OperatorRole) -> None:
    """The pages and forms of each action are open exactly to the roles in the table."""
    ana = await deployment.sign_up("ana")
    await add_operator(deployment, "somebody", role)
    before = await deployment.count("audit_log")
    async with signed_in_operator(deployment, "somebody", PASSWORD) as operator:
        csrf = token_in(await operator.get("/admin/content"))
        doors = [(one.act, f"/admin/accounts/{ana.did}/{one.slug}") for one in ACCOUNT_ACTIONS.values()]
        for needed, path in doors:
            expected = 200 if rank(role) >= rank(LEAST_ROLE[needed]) else 403
            assert (await operator.get(path)).status_code == expected, path
        forms = [
            *((needed, path) for needed, path in doors),
            (OperatorAction.CREATE_CODES, "/admin/invites/create"),
            (OperatorAction.REQUEST_CRAWL, "/admin/relays/request-crawl"),
            (OperatorAction.SWEEP_BLOBS, "/admin/storage/sweep"),
            (OperatorAction.MANAGE_OPERATORS, "/admin/operators/add"),
            (OperatorAction.MANAGE_OPERATORS, "/admin/operators/change"),
        ]
        for needed, path in forms:
            if rank(role) < rank(LEAST_ROLE[needed]):
                fields = {"csrf": csrf, "reason": "x", "sure": "yes", "handle": "ana.test", "amount": "1", "uses": "1"}
                assert (await operator.post(path, fields)).status_code == 403, path
        shown = (await operator.get("/admin")).text
        assert ("/admin/operators" in shown) is (role is OperatorRole.SUPERADMIN)
    assert await deployment.count("audit_log") == before
    assert (await ana.get(f"{SERVER}.getSession")).json()["active"] is True


def rank(role: OperatorRole) -> int:
    return [*OperatorRole].index(role)


@sqlite_only
async def test_session_ends_by_itself_and_by_signing_out(deployment: Deployment) -> None:
    async with signed_in_operator(deployment) as admin:
        for _ in range(11):
            deployment.clock.turn(HOUR)
            assert (await admin.get("/admin")).status_code == 200
        deployment.clock.turn(HOUR)
        assert (await admin.get("/admin")).status_code == 303
    async with signed_in_operator(deployment) as admin:
        deployment.clock.turn(2 * HOUR)
        assert (await admin.get("/admin")).status_code == 303
    async with signed_in_operator(deployment) as admin:
        kept = admin.cookies()
        await admin.send("/admin/sign-out", {}, page="/admin/content")
        admin.carry(kept)
        assert (await admin.get("/admin")).status_code == 303
    assert await deployment.count("operator_sessions") <= 2


async def test_overview_starts_with_what_needs_attention(deployment: Deployment) -> None:
    """The overview starts with the number of things that need attention and lists each, until all are done."""
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    written = await write_note(ana)
    async with signed_in_operator(deployment) as admin:
        shown = await admin.get("/admin")
        assert "Running, 1\N{NO-BREAK SPACE}thing to look at" in heading_of(shown)
        assert "There’s no backup" in shown.text
        strong = {"$type": "com.atproto.repo.strongRef", "uri": written["uri"], "cid": written["cid"]}
        number = (await send_report(ben, strong)).json()["id"]
        shown = await admin.get("/admin")
        assert "Running, 2\N{NO-BREAK SPACE}things to look at" in heading_of(shown)
        assert "1 report is waiting" in shown.text

        await admin.send(f"/admin/reports/{number}", {"note": "done", "state": "resolved"})
        ended = deployment.clock.now()
        row = {"id": "one", "state": "done", "at": ended}
        insert = (
            "insert into backups (id, state, started_at, heartbeat_at, ended_at) values (:id, :state, :at, :at, :at)"
        )
        await deployment.db.write(lambda w: w.execute(insert, **row))
        shown = await admin.get("/admin")
        assert "Running, nothing to do" in heading_of(shown)
        assert "Needs you" not in shown.text
        for _ in range(50):
            deployment.clock.turn(HOUR)
            await admin.get("/admin")
    async with signed_in_operator(deployment) as admin:
        assert "The last backup is old" in (await admin.get("/admin")).text


async def test_the_chart_counts_the_events_of_each_hour(deployment: Deployment) -> None:
    """The chart counts events per hour, without those older than a day; the newest are in the last column."""
    ana = await deployment.sign_up("ana")
    deployment.clock.turn(23 * HOUR)
    ana = deployment.person(await deployment.sign_in("ana.test", "password of ana"))
    await write_note(ana)
    found = await dashboard(deployment.pds.registry, await deployment.pds.app.state.services.blob_totals.read(), Path())
    assert found.hours[-1] == 1
    assert found.hours[0] + found.hours[1] == found.events_of_a_day - 1 > 0
    deployment.clock.turn(2 * HOUR)
    found = await dashboard(deployment.pds.registry, await deployment.pds.app.state.services.blob_totals.read(), Path())
    assert found.hours[21:] == [1, 0, 0]
    assert found.events_of_a_day == 1


async def test_report_is_handled_from_the_queue(deployment: Deployment) -> None:
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    written = await write_note(ana)
    strong = {"$type": "com.atproto.repo.strongRef", "uri": written["uri"], "cid": written["cid"]}
    number = (await send_report(ben, strong, reason="<b>look</b>")).json()["id"]
    async with signed_in_operator(deployment) as admin:
        german = (await admin.http.get("/admin/reports", headers={"accept-language": "de"})).text
        assert "„&lt;b&gt;look&lt;/b&gt;“" in german
        path = f"/admin/reports/{number}"
        assert (await admin.send(path, {"note": "", "state": ""})).status_code == 400
        assert (await admin.send(path, {"note": "looking", "state": "acknowledged"})).status_code == 303
        decide = {
            "uri": written["uri"],
            "report": str(number),
            "reason": "spam",
            "sure": "yes",
            "decision": "take-down",
        }
        done = await admin.send("/admin/content/decide", decide, page=f"/admin/content?uri={written['uri']}")
        assert done.status_code == 303, problems_in(done)
        hidden = await deployment.stranger.get(
            "com.atproto.repo.getRecord",
            repo=ana.did,
            collection="org.example.note",
            rkey=written["uri"].rpartition("/")[2],
        )
        assert hidden.status_code == 400
        assert (await admin.send(path, {"note": "hidden", "state": "resolved"})).status_code == 303
        story = (await admin.get(path)).text
        for said in ("looking", "spam", "hidden", "Taken down"):
            assert said in story
        assert "Nothing is waiting" in (await admin.get("/admin/reports")).text
        assert (await admin.get("/admin/reports?state=resolved")).text.count(path) == 1
        assert (await admin.get("/admin/reports/999")).status_code == 404
        lift = {**decide, "decision": "lift"}
        assert (
            await admin.send("/admin/content/decide", lift, page=f"/admin/content?uri={written['uri']}")
        ).status_code == 303
    assert len(await entries(deployment, report=number)) == 4


async def test_labels_are_added_and_negated(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    reference = (await upload(ana)).json()["blob"]
    await write_note(ana, blob=reference)
    query = "com.atproto.label.queryLabels"
    async with signed_in_operator(deployment) as admin:
        page = f"/admin/content?did={ana.did}"
        fields = {"did": ana.did, "value": "spam", "reason": "it is"}
        assert (await admin.send("/admin/content/label", {**fields, "label_days": "1"}, page=page)).status_code == 303
        assert len((await deployment.stranger.get(query, uriPatterns=ana.did)).json()["labels"]) == 1
        assert ">spam<" in (await admin.get(page)).text
        await admin.send("/admin/content/label", {**fields, "negate": "yes"}, page=page)
        assert (await deployment.stranger.get(query, uriPatterns=ana.did)).json()["labels"] == []
        for wrong in ({"value": ""}, {"label_days": "x"}, {"did": "ana"}, {"reason": ""}):
            assert (await admin.send("/admin/content/label", {**fields, **wrong}, page=page)).status_code == 400
        cid = reference["ref"]["$link"]
        blob = {"did": ana.did, "cid": cid, "reason": "no", "sure": "yes", "decision": "take-down"}
        assert (await admin.send("/admin/content/decide", blob, page=f"{page}&cid={cid}")).status_code == 303
        assert "Taken down" in (await admin.get(f"{page}&cid={cid}")).text
        for asked in (
            "uri=at://x",
            "did=x",
            f"did={ana.did}&cid=x",
            "uri=at://did:plc:ragtjsm2j2vknwkz3zp4oxrd/org.example.note/x",
        ):
            assert (await admin.get(f"/admin/content?{asked}")).status_code == 200


async def test_invites_are_made_and_disabled(deployment: Deployment) -> None:
    async with signed_in_operator(deployment) as admin:
        made = await admin.send(
            "/admin/invites/create", {"amount": "2", "uses": "3", "reason": "a party"}, page="/admin/invites"
        )
        assert (made.status_code, "2 codes created" in made.text) == (200, True)
        codes = (await deployment.administration.get("com.atproto.admin.getInviteCodes")).json()["codes"]
        assert [(code["available"], code["createdBy"]) for code in codes] == [(3, "admin")] * 2
        gone = {"code": codes[0]["code"], "reason": "lost"}
        assert (await admin.send("/admin/invites/disable", gone, page="/admin/invites")).status_code == 303
        assert "Disabled" in (await admin.get("/admin/invites?sort=usage")).text
        for wrong in ({"amount": "0"}, {"amount": "101"}, {"amount": "0000000019999"}, {"uses": "x"}, {"reason": ""}):
            answer = await admin.send(
                "/admin/invites/create", {"amount": "1", "uses": "1", "reason": "x", **wrong}, page="/admin/invites"
            )
            assert (answer.status_code, set(problems_in(answer))) == (400, set(wrong))


async def test_accounts_are_found(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await deployment.sign_up("ben")
    async with signed_in_operator(deployment) as admin:
        await act(admin, ana.did, "suspend", days="0")

        async def found(**asked: str) -> set[str]:
            text = (await admin.get("/admin/accounts", **asked)).text
            return {name for name in ("ana", "ben") if f"@{name}.test" in text}

        assert await found() == {"ana", "ben"}
        assert await found(q="@AN") == {"ana"}
        assert await found(q="ben@EXAMPLE") == {"ben"}
        assert await found(q=ana.did) == {"ana"}
        assert await found(status="suspended") == {"ana"}
        assert await found(q="%", status="") == set()
        for nothing in ("did:plc:ragtjsm2j2vknwkz3zp4oxrd", "nobody", "did:x"):
            assert (await admin.get(f"/admin/accounts/{nothing}")).status_code == 404
        assert (await admin.get(f"/admin/accounts/{ana.did}/marry")).status_code == 404


@sqlite_only
async def test_every_page_opens_and_shows_no_secret(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await write_note(ana)
    async with signed_in_operator(deployment) as admin:
        await act(admin, ana.did, "announce")
        for page in OPERATOR_PAGES:
            answer = await admin.get(f"/admin{page}")
            assert answer.status_code == 200, page
            assert answer.headers["cache-control"] == "no-store"
            assert ADMIN_PASSWORD not in answer.text
        assert "(set, not shown)" in (await admin.get("/admin/settings")).text
        sweep = {"reason": "full disk"}
        assert (await admin.send("/admin/storage/sweep", sweep, page="/admin/storage")).status_code == 303
        assert (await admin.get("/admin/audit", subject=ana.did)).text.count("Status announced again</strong>") == 1
        assert "No entries match" in (await admin.get("/admin/audit", actor="nobody")).text
        for unstorable in ({"subject": "a\0"}, {"actor": "a\0"}):
            assert "No entries match" in (await admin.get("/admin/audit", **unstorable)).text
        refused = await admin.send("/admin/relays/request-crawl", {"reason": "x"}, page="/admin/accounts")
        assert refused.status_code == 403


def test_password_in_a_url_is_not_shown() -> None:
    settings = PdsSettings(database_url="postgresql://pds:hush@db.example/pds", jwt_secret=Secret("hush"))
    shown = {name: value for name, value, _, _ in settings_shown(settings)}
    assert shown["PDS_DATABASE_URL"] == "postgresql://…@db.example/pds"
    assert shown["PDS_JWT_SECRET"] == "(set, not shown)"
    assert "hush" not in str(shown)


def test_durations_and_sizes_are_shown_with_their_units() -> None:
    shown = {name: value for name, value, _, _ in settings_shown(PdsSettings(handle_quarantine=3600.0))}
    assert shown["PDS_HANDLE_QUARANTINE"] == "1h"
    assert shown["PDS_BLOB_UPLOAD_LIMIT"] == "5MiB"


@sqlite_only
async def test_every_wrong_password_is_counted(deployment: Deployment) -> None:
    """Every wrong password is counted per address and per name, behind a proxy that is not configured."""
    registry = deployment.pds.registry
    browser = visitor(deployment)
    browser.sends["x-forwarded-for"] = "192.0.2.1"
    limit, now = effective_limit(registry, OPERATOR_SIGN_IN), registry.clock.now()
    await sign_in(browser, "admin", "wrong")
    limit_state = await registry.counters.add(limit, "127.0.0.1", 1, now)
    assert limit_state.remaining == limit.points - 2
    await registry.counters.add(limit, "127.0.0.1", limit_state.remaining, now)
    assert (await sign_in(browser, "admin", ADMIN_PASSWORD)).status_code == 429
    await browser.http.aclose()


@sqlite_only
async def test_audit_log_describes_the_changes(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    async with signed_in_operator(deployment) as admin:
        await act(admin, ana.did, "take-down")
        log = (await admin.get("/admin/audit", subject=ana.did)).text
    assert "status: <del>active</del> → taken down" in log
    assert "takedown: " not in log.replace("reference of the takedown: ", "")
