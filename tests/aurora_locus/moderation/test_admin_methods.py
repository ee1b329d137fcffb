"""``com.atproto.admin.*`` over HTTP: what each method does to an account, and who may call it."""

from typing import Any

import httpx
import pytest

from at_protocol.crypto.did_key import format_did_key
from aurora_locus.accounts import sign_in_links, signing_key_change
from aurora_locus.maintenance.integrity import examine
from aurora_locus.moderation import subject_actions
from aurora_locus.moderation.roles import AuditContext, OperatorRole, PdsOperator
from aurora_locus.moderation.subject_actions import SubjectStatusRequest
from groundwork.clock import DAY, HOUR
from groundwork.errors import InvalidInput
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import SERVER, Deployment, Person
from tests.aurora_locus.mailbox import emails_to, newest_token
from tests.aurora_locus.moderation.decisions import STATUS, UPDATE, account, decide, record, write_note
from tests.aurora_locus.moderation.operators import ADMIN, acts, key_of, moderation_service, service_token, who
from tests.docs.tables import bare, section

NOBODY = "did:plc:ragtjsm2j2vknwkz3zp4oxrd"
sqlite_only = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def named(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


async def test_account_is_deleted(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await write_note(ana)
    assert named(await deployment.administration.post(f"{ADMIN}.deleteAccount", {"did": ana.did})) == (200, "")
    assert await deployment.announced(ana.did) == ["account deleted"]
    assert named(await deployment.sign_in("ana.test", "password of ana")) == (401, "AuthenticationRequired")
    assert named(await deployment.administration.post(f"{ADMIN}.deleteAccount", {"did": ana.did})) == (400, "NotFound")
    assert await acts(deployment) == ["account.delete"]


async def test_codes_of_an_account_are_unusable_while_it_is_taken_down(make_deployment: MakeDeployment) -> None:
    """The invite codes of an account are unusable while it is taken down. They stay valid while its invites are
    disabled, as the Lexicon says.
    """
    deployment = await make_deployment(invite_required=True)
    host = deployment.administration
    first = (await host.post(f"{SERVER}.createInviteCode", {"useCount": 1})).json()["code"]
    ana = await deployment.sign_up("ana", inviteCode=first)
    code = (await host.post(f"{SERVER}.createInviteCode", {"useCount": 9, "forAccount": ana.did})).json()["code"]
    disabling = {"account": ana.did, "note": "too many"}
    assert named(await host.post(f"{ADMIN}.disableAccountInvites", disabling)) == (200, "")
    assert named(await deployment.ask_to_sign_up("ben", inviteCode=code)) == (200, "")
    assert named(await host.post(f"{ADMIN}.enableAccountInvites", {"account": ana.did})) == (200, "")
    for is_taken_down, expected in ((True, (400, "InvalidInviteCode")), (False, (200, ""))):
        decision = {"subject": account(ana), "takedown": {"applied": is_taken_down}}
        assert named(await host.post(f"{ADMIN}.updateSubjectStatus", decision)) == (200, "")
        assert named(await deployment.ask_to_sign_up("cleo", inviteCode=code)) == expected
    shown = (await host.get(f"{ADMIN}.getAccountInfo", did=ana.did)).json()
    assert (shown["invitesDisabled"], len(shown["invites"][0]["uses"])) == (False, 2)


async def test_codes_are_listed_by_age_and_by_use(make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment(invite_required=True)
    host = deployment.administration
    codes = []
    for _ in range(5):
        codes.append((await host.post(f"{SERVER}.createInviteCode", {"useCount": 9})).json()["code"])
        deployment.clock.turn(HOUR)
    for name in ("ana", "ben"):
        await deployment.sign_up(name, inviteCode=codes[1])
    await deployment.sign_up("cleo", inviteCode=codes[3])

    async def listed(**asked: Any) -> list[str]:
        found, cursor = [], {}
        while True:
            page = (await host.get(f"{ADMIN}.getInviteCodes", limit=2, **asked, **cursor)).json()
            found += [code["code"] for code in page["codes"]]
            if "cursor" not in page:
                return found
            cursor = {"cursor": page["cursor"]}

    assert await listed() == codes[::-1]
    assert await listed(sort="recent") == codes[::-1]
    by_use = await listed(sort="usage")
    assert by_use[:2] == [codes[1], codes[3]]
    assert sorted(by_use) == sorted(codes)
    for wrong in ({"sort": "colour"}, {"cursor": "x"}, {"cursor": "1:x"}, {"cursor": "9" * 40 + "::x"}):
        assert named(await host.get(f"{ADMIN}.getInviteCodes", **wrong)) == (400, "InvalidRequest")


async def test_accounts_are_searched_by_address(deployment: Deployment) -> None:
    people = [await deployment.sign_up(name) for name in ("ana", "anabel", "ben", "an-a")]
    await deployment.sign_up("hans", email="100%_sure@example.org")

    async def found(email: str | None, **more: Any) -> set[str]:
        asked = {} if email is None else {"email": email}
        answer = (await deployment.administration.get(f"{ADMIN}.searchAccounts", **asked, **more)).json()
        return {one["handle"] for one in answer["accounts"]}

    assert await found("ANA") == {"ana.test", "anabel.test"}
    assert await found("%_s") == {"hans.test"}
    assert await found("a_a") == set()
    assert await found("nobody\x00") == set()
    assert len(await found(None)) == 5
    page = (await deployment.administration.get(f"{ADMIN}.searchAccounts", limit=3)).json()
    rest = (await deployment.administration.get(f"{ADMIN}.searchAccounts", limit=3, cursor=page["cursor"])).json()
    assert "cursor" not in rest
    assert {one["did"] for one in page["accounts"] + rest["accounts"]} >= {person.did for person in people}


async def test_an_email_of_the_host_is_enqueued_sent_and_forgotten(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    body = {
        "recipientDid": ana.did,
        "senderDid": deployment.settings.did,
        "subject": "About your account",
        "content": "<p>Please <b>stop</b>.</p><p>2 &lt; 3</p><script>alert(1)</script>",
        "comment": "first warning",
    }
    answer = await deployment.administration.post(f"{ADMIN}.sendEmail", body)
    assert answer.json() == {"sent": True}
    (letter,) = await emails_to(deployment, "ana@example.org")
    assert letter.subject == "About your account"
    assert letter.text.strip() == "Please stop.\n2 < 3"
    assert await deployment.count("notices") == 0
    assert letter.html.strip() == "<p>Please <b>stop</b>.</p><p>2 &lt; 3</p>"
    plain = {**body, "content": "no markup: a < b\n\nBye", "subject": "Attention\u00a0!"}
    assert (await deployment.administration.post(f"{ADMIN}.sendEmail", plain)).json() == {"sent": True}
    sent = {letter.text.strip(): letter.html for letter in await emails_to(deployment, "ana@example.org")}
    laid_out = sent["no markup: a < b\n\nBye"]
    assert "<h1>Attention\u00a0!</h1>" in laid_out
    assert "<p>no markup: a &lt; b\n\nBye</p>" in laid_out


@sqlite_only
async def test_e_mails_that_cannot_be_sent_are_refused(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    host = deployment.administration
    for change in ({"content": " "}, {"subject": "two\nlines"}, {"subject": "x" * 201}, {"content": "x" * 100_001}):
        body = {"recipientDid": ana.did, "senderDid": ana.did, "content": "x", **change}
        assert named(await host.post(f"{ADMIN}.sendEmail", body)) == (400, "InvalidRequest")
    nobody = {"recipientDid": NOBODY, "senderDid": ana.did, "content": "x"}
    assert named(await host.post(f"{ADMIN}.sendEmail", nobody)) == (400, "NotFound")
    await deployment.db.write(lambda w: w.execute("update accounts set email = null"))
    without = {"recipientDid": ana.did, "senderDid": ana.did, "content": "x"}
    assert named(await host.post(f"{ADMIN}.sendEmail", without)) == (400, "InvalidRequest")
    assert await deployment.count("audit_log") == 0


async def test_address_handle_and_password_are_changed(deployment: Deployment) -> None:
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    host = deployment.administration
    assert named(
        await host.post(f"{ADMIN}.updateAccountEmail", {"account": "ana.test", "email": "New@Example.org"})
    ) == (200, "")
    shown = (await ana.get(f"{SERVER}.getSession")).json()
    assert (shown["email"], shown["emailConfirmed"]) == ("new@example.org", False)
    taken = await host.post(f"{ADMIN}.updateAccountEmail", {"account": ana.did, "email": "ben@example.org"})
    assert named(taken) == (400, "InvalidRequest")
    assert named(await host.post(f"{ADMIN}.updateAccountHandle", {"did": ana.did, "handle": "anabel.test"})) == (
        200,
        "",
    )
    assert (await deployment.directory.log(ana.did))[-1]["alsoKnownAs"] == ["at://anabel.test"]
    assert (await deployment.announced(ana.did))[-1] == "identity anabel.test"
    other = await host.post(f"{ADMIN}.updateAccountHandle", {"did": ben.did, "handle": "anabel.test"})
    assert named(other) == (400, "HandleNotAvailable")
    word = {"did": ana.did, "password": "chosen by the host"}
    assert named(await host.post(f"{ADMIN}.updateAccountPassword", word)) == (200, "")
    assert named(await ana.get(f"{SERVER}.getSession")) == (400, "InvalidToken")
    assert (await deployment.sign_in("anabel.test", "password of ana")).status_code == 401
    assert (await deployment.sign_in("anabel.test", "chosen by the host")).status_code == 200
    short = await host.post(f"{ADMIN}.updateAccountPassword", {"did": ana.did, "password": "short"})
    assert named(short) == (400, "InvalidPassword")
    assert await acts(deployment) == ["account.change_email", "account.change_handle", "account.set_password"]


async def test_operators_give_reserved_names(deployment: Deployment) -> None:
    """As in the reference server, names that their owners cannot choose, but no names that could not work."""
    ana = await deployment.sign_up("ana")
    for handle in ("support.test", "tr4nny.test"):
        own = await ana.post("com.atproto.identity.updateHandle", {"handle": handle})
        assert own.status_code == 400
        change = {"did": ana.did, "handle": handle}
        assert named(await deployment.administration.post(f"{ADMIN}.updateAccountHandle", change)) == (200, "")
    for handle in ("ab.test", "a.b.test", "ana.local"):
        change = {"did": ana.did, "handle": handle}
        refused = await deployment.administration.post(f"{ADMIN}.updateAccountHandle", change)
        assert named(refused) == (400, "InvalidHandle")


async def test_password_of_the_host_voids_codes_and_links(deployment: Deployment) -> None:
    """A password that an operator sets ends what was e-mailed before, as a password reset does: codes for a new password,
    and sign-in links.
    """
    ana = await deployment.sign_up("ana")
    await deployment.stranger.post(f"{SERVER}.requestPasswordReset", {"email": "ana@example.org"})
    code = await newest_token(deployment, "ana@example.org")
    await sign_in_links.send_link(deployment.pds.registry, "ana.test")
    assert await deployment.count("sign_in_links") == 1
    word = {"did": ana.did, "password": "chosen by the host"}
    assert named(await deployment.administration.post(f"{ADMIN}.updateAccountPassword", word)) == (200, "")
    reset = {"token": code, "password": "chosen by somebody else"}
    assert named(await deployment.stranger.post(f"{SERVER}.resetPassword", reset)) == (400, "InvalidToken")
    assert await deployment.count("sign_in_links") == 0


async def test_new_signing_key_takes_effect_everywhere_at_once(deployment: Deployment) -> None:
    """A new signing key takes effect in directory, repository and firehose at once: later commits are signed with it."""
    ana = await deployment.sign_up("ana")
    await write_note(ana)
    host = deployment.administration
    before = format_did_key((await key_of(deployment, ana)).public)
    new = (await deployment.stranger.post(f"{SERVER}.reserveSigningKey", {})).json()["signingKey"]
    told = len(await deployment.announced(ana.did))
    answer = await host.post(f"{ADMIN}.updateAccountSigningKey", {"did": ana.did, "signingKey": new})
    assert named(answer) == (200, ""), answer.text
    assert (await deployment.directory.log(ana.did))[-1]["verificationMethods"] == {"atproto": new}
    assert (await deployment.announced(ana.did))[told:] == ["identity ana.test", "sync"]
    assert format_did_key((await key_of(deployment, ana)).public) == new != before
    await write_note(ana)
    assert named(await host.post(f"{ADMIN}.updateAccountSigningKey", {"did": ana.did, "signingKey": new})) == (
        400,
        "InvalidRequest",
    )
    assert await deployment.operation_states() == ["sent", "sent"]
    assert await acts(deployment) == ["account.change_signing_key"]


async def test_key_not_stored_in_the_directory_is_not_used(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    before = format_did_key((await key_of(deployment, ana)).public)
    new = (await deployment.stranger.post(f"{SERVER}.reserveSigningKey", {})).json()["signingKey"]
    deployment.directory.is_down = True
    answer = await deployment.administration.post(
        f"{ADMIN}.updateAccountSigningKey", {"did": ana.did, "signingKey": new}
    )
    assert answer.status_code == 502
    deployment.directory.is_down = False
    assert format_did_key((await key_of(deployment, ana)).public) == before
    assert (await deployment.directory.log(ana.did))[-1]["verificationMethods"] == {"atproto": before}
    assert await deployment.count("audit_log") == 0
    foreign = {"did": ana.did, "signingKey": before}
    assert named(await deployment.administration.post(f"{ADMIN}.updateAccountSigningKey", foreign)) == (
        400,
        "InvalidRequest",
    )


async def test_suspension_ends_by_itself(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    audit = AuditContext(PdsOperator("mo", OperatorRole.MODERATOR), "cool down")
    until = deployment.clock.now() + DAY
    registry = deployment.pds.registry
    await subject_actions.decide_account(
        registry, audit, ana.did, SubjectStatusRequest(suspended=True, suspended_until=until)
    )
    assert (await deployment.announced(ana.did))[-1] == "account suspended"
    assert named(await ana.get(f"{SERVER}.getSession")) == (401, "AccountTakedown")
    assert await subject_actions.end_suspensions(registry) == 0
    deployment.clock.turn(DAY)
    assert await subject_actions.end_suspensions(registry) == 1
    assert (await deployment.announced(ana.did))[-3:] == ["account active", "identity ana.test", "sync"]
    assert await acts(deployment) == ["account.suspend", "account.end_suspension"]
    with pytest.raises(InvalidInput):
        await subject_actions.decide_account(
            registry, audit, ana.did, SubjectStatusRequest(suspended=True, suspended_until=until)
        )


async def test_writing_again_does_not_lift_a_takedown(deployment: Deployment) -> None:
    """Writing a record again, over the old one or after deleting it, does not lift its takedown. Lifting shows the
    current record.
    """
    ana = await deployment.sign_up("ana")
    written = await write_note(ana)
    await decide(deployment, record(written), takedown=True)
    path = {"repo": ana.did, "collection": "org.example.note", "rkey": written["uri"].rpartition("/")[2]}

    async def shown() -> tuple[int, int]:
        one = await deployment.stranger.get("com.atproto.repo.getRecord", **path)
        all_of = await deployment.stranger.get(
            "com.atproto.repo.listRecords", repo=ana.did, collection="org.example.note"
        )
        return one.status_code, len(all_of.json()["records"])

    for text in ("over it", "after deleting"):
        answer = await ana.post("com.atproto.repo.putRecord", {**path, "record": {"text": text}})
        assert answer.status_code == 200, answer.text
        assert await shown() == (400, 0)
        assert (await ana.post("com.atproto.repo.deleteRecord", path)).status_code == 200
    await ana.post("com.atproto.repo.putRecord", {**path, "record": {"text": "at last"}})
    await decide(deployment, record(written), takedown=False)
    assert await shown() == (200, 1)
    await ana.post("com.atproto.repo.deleteRecord", path)
    await ana.post("com.atproto.repo.putRecord", {**path, "record": {"text": "new"}})
    assert await shown() == (200, 1)


# Methods that the moderation service may and may not call, each with a valid body or parameters.
MODERATORS = {
    "disableAccountInvites": {"account": NOBODY},
    "disableInviteCodes": {"codes": ["x"]},
    "enableAccountInvites": {"account": NOBODY},
    "getAccountInfo": {"did": NOBODY},
    "getAccountInfos": {"dids": [NOBODY]},
    "getInviteCodes": {},
    "getSubjectStatus": {"did": NOBODY},
    "searchAccounts": {},
    "sendEmail": {"recipientDid": NOBODY, "senderDid": NOBODY, "content": "x"},
    "updateSubjectStatus": {"subject": {"$type": "com.atproto.admin.defs#repoRef", "did": NOBODY}},
}
ADMINS = {
    "deleteAccount": {"did": NOBODY},
    "updateAccountEmail": {"account": NOBODY, "email": "x@example.org"},
    "updateAccountHandle": {"did": NOBODY, "handle": "x.test"},
    "updateAccountPassword": {"did": NOBODY, "password": "long enough"},
    "updateAccountSigningKey": {
        "did": NOBODY,
        "signingKey": "did:key:zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF",
    },
}


async def ask(person: Person, name: str, given: dict[str, Any]) -> httpx.Response:
    nsid = f"{ADMIN}.{name}"
    return await (person.get(nsid, **given) if name.startswith(("get", "search")) else person.post(nsid, given))


@sqlite_only
async def test_moderation_service_may_call_the_methods_of_moderators(make_deployment: MakeDeployment) -> None:
    """The moderation service may call the methods for moderators, with a token for that method signed by its own key or
    its label key. All other methods are refused.
    """
    methods = [bare(row[0]).removeprefix(f"{ADMIN}.") for row in section("routes.md", "Methods of Aurora Locus")]
    assert {*MODERATORS, *ADMINS} == {name for name in methods if "." not in name}
    async with moderation_service() as service:
        deployment = await make_deployment(mod_service_url=service.url, mod_service_did=service.did)
        for name, given in {**MODERATORS, **ADMINS}.items():
            for issuer in (service.did, f"{service.did}#atproto_labeler"):
                token = service_token(deployment, issuer, service.key, f"{ADMIN}.{name}", jti=f"{name} {issuer}")
                answer = await ask(deployment.stranger.bearing(token), name, given)
                if name in MODERATORS:
                    is_let_in = answer.status_code == 200 or answer.json()["error"] in {"NotFound", "InvalidRequest"}
                    assert is_let_in, (name, answer.text)
                else:
                    assert named(answer) == (401, "AuthenticationRequired"), name
        assert set(await who(deployment)) <= {service.did}


@sqlite_only
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"lxm": f"{ADMIN}.getAccountInfo"}, "BadJwtLexiconMethod"),
        ({"aud": "did:web:elsewhere.example"}, "BadJwtAudience"),
        ({"exp": 1}, "JwtExpired"),
        ({"iss": "did:plc:ragtjsm2j2vknwkz3zp4oxrd"}, "BadJwtIss"),
    ],
    ids=["another method", "another host", "expired", "another issuer"],
)
async def test_almost_valid_token_is_refused(
    make_deployment: MakeDeployment, changes: dict[str, Any], error: str
) -> None:
    async with moderation_service() as service:
        deployment = await make_deployment(mod_service_url=service.url, mod_service_did=service.did)
        ana = await deployment.sign_up("ana")
        token = service_token(deployment, service.did, service.key, UPDATE, **changes)
        body = {"subject": account(ana), "takedown": {"applied": True}}
        assert named(await deployment.stranger.bearing(token).post(UPDATE, body)) == (401, error)
        assert (await ana.get(f"{SERVER}.getSession")).json()["active"] is True


@sqlite_only
async def test_account_of_this_host_does_not_moderate_it(make_deployment: MakeDeployment) -> None:
    """An account of this host with a valid token is refused as a moderator, because it is not the service that the
    operator chose. If none is chosen, everybody is refused.
    """
    async with moderation_service() as service:
        for chosen in ({"mod_service_url": service.url, "mod_service_did": service.did}, {}):
            deployment = await make_deployment(**chosen)
            name = "ana" if chosen else "ben"
            person = await deployment.sign_up(name)
            token = service_token(deployment, person.did, await key_of(deployment, person), STATUS, jti=name)
            answer = await deployment.stranger.bearing(token).get(STATUS, did=person.did)
            assert named(answer) == (401, "UntrustedIss")


@sqlite_only
async def test_used_token_is_refused(make_deployment: MakeDeployment) -> None:
    async with moderation_service() as service:
        deployment = await make_deployment(mod_service_url=service.url, mod_service_did=service.did)
        ana = await deployment.sign_up("ana")
        token = service_token(deployment, service.did, service.key, STATUS)
        assert named(await deployment.stranger.bearing(token).get(STATUS, did=ana.did)) == (200, "")
        assert named(await deployment.stranger.bearing(token).get(STATUS, did=ana.did)) == (401, "BadJwt")


async def test_crash_between_key_and_signature_is_repaired(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crash between the key change and the new signature, the next start signs the head again, once."""
    ana = await deployment.sign_up("ana")
    await write_note(ana)
    new = (await deployment.stranger.post(f"{SERVER}.reserveSigningKey", {})).json()["signingKey"]

    async def dies(*_arguments: object) -> None:
        raise LookupError("the process was killed here")

    with monkeypatch.context() as patched:
        patched.setattr(signing_key_change, "_sign_again", dies)
        failed = await deployment.administration.post(
            f"{ADMIN}.updateAccountSigningKey", {"did": ana.did, "signingKey": new}
        )
        assert failed.status_code == 500
    head = await deployment.pds.registry.repositories.head(ana.did)
    assert await signing_key_change.finish_commits(deployment.pds.registry) == 1
    assert (await deployment.pds.registry.repositories.head(ana.did)).rev > head.rev
    assert (await deployment.announced(ana.did))[-2:] == ["identity ana.test", "sync"]
    report = await examine(deployment.db, None, only=ana.did)
    assert report.findings == []
    assert await signing_key_change.finish_commits(deployment.pds.registry) == 0
