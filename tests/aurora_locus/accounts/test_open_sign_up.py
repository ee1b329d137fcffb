"""Open sign-up: an account is invisible until its owner has confirmed the e-mail address; with an invite it is visible
at once.
"""

from dataclasses import replace
from typing import Any

import pytest

from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.syntax.handle import parse_handle
from aurora_locus.accounts import creation, deletion, email_confirmation, own_identity, queries
from aurora_locus.accounts.account_requests import AccountRequest, CreatedAccount, UnannouncedReason
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity import plc_requests, plc_updates
from aurora_locus.settings import PdsSettings
from aurora_locus.settings_checks import read_checked
from groundwork.clock import DAY
from groundwork.errors import Refused
from groundwork.settings import SettingsRefused
from tests.aurora_locus.deployment import IDENTITY, SERVER, Deployment, Person
from tests.aurora_locus.mailbox import newest_token
from tests.aurora_locus.moderation.decisions import UPDATE, account, decide

ANAS = "ana@example.org"
WISH = AccountRequest(handle="ana.test", email=ANAS, password="password of ana")
CONFIRM = f"{SERVER}.confirmEmail"


@pytest.fixture
def public_registry(deployment: Deployment) -> Registry:
    """The deployment's accounts under the rule that applies outside development."""
    return replace(deployment.pds.registry, confirms_email=True)


def session_of(deployment: Deployment, made: CreatedAccount) -> Person:
    return Person(deployment.http, {"authorization": f"Bearer {made.tokens.access}"}, made.did)


async def test_account_without_an_invite_must_confirm_its_address(
    deployment: Deployment, public_registry: Registry
) -> None:
    """An account without an invite can sign in but cannot write, be resolved or be activated. Confirming the address
    announces it once.
    """
    made = await creation.create(public_registry, WISH)
    assert made.awaits is UnannouncedReason.CONFIRMATION
    ana = session_of(deployment, made)
    assert (await ana.get(f"{SERVER}.getSession")).json()["status"] == "deactivated"
    assert (await deployment.sign_in("ana.test", "password of ana")).status_code == 200
    record = {"repo": made.did, "collection": "org.example.note", "record": {"text": "hello"}}
    assert (await ana.post("com.atproto.repo.createRecord", record)).json()["error"] == "AccountDeactivated"
    assert (await deployment.stranger.get(f"{IDENTITY}.resolveHandle", handle="ana.test")).status_code == 400
    refused = await ana.post(f"{SERVER}.activateAccount")
    assert refused.status_code == 400
    assert "Confirm the e-mail address" in refused.json()["message"]
    assert (await ana.post(f"{SERVER}.deactivateAccount", {})).status_code == 200
    assert await deployment.announced(made.did) == []

    for deactivated in (True, False):
        status = {"subject": account(ana), "deactivated": {"applied": deactivated}}
        assert (await deployment.administration.post(UPDATE, status)).status_code == 400, "also not for the operator"
    assert await deployment.announced(made.did) == []

    token = await newest_token(deployment, ANAS)
    assert (await ana.post(CONFIRM, {"email": ANAS, "token": token})).status_code == 200
    assert await deployment.announced(made.did) == ["account active", "identity ana.test", "sync"]
    assert (await ana.post("com.atproto.repo.createRecord", record)).status_code == 200
    deployment.clock.turn(email_confirmation.PATIENCE + DAY)
    assert await deletion.delete_forgotten(deployment.pds.registry) == 0


async def test_unconfirmed_account_gets_no_tokens_for_other_services(
    deployment: Deployment, public_registry: Registry
) -> None:
    made = await creation.create(public_registry, WISH)
    ana = session_of(deployment, made)
    audience = {"aud": "did:web:video.example.org"}
    for parameters in ({}, {"lxm": "app.bsky.video.uploadVideo"}, {"lxm": f"{SERVER}.createAccount"}):
        refused = await ana.get(f"{SERVER}.getServiceAuth", **audience, **parameters)
        assert (refused.status_code, refused.json()["error"]) == (401, "AccountDeactivated")
    token = await newest_token(deployment, ANAS)
    assert (await ana.post(CONFIRM, {"email": ANAS, "token": token})).status_code == 200
    assert (await ana.get(f"{SERVER}.getServiceAuth", **audience)).status_code == 200


async def test_takedown_does_not_announce_an_unconfirmed_account(
    deployment: Deployment, public_registry: Registry
) -> None:
    """Decisions about an unconfirmed account apply, but the network does not learn of it. If its owner confirms the
    address during a takedown, the account is announced when the takedown ends.
    """
    made = await creation.create(public_registry, WISH)
    ana = session_of(deployment, made)

    async def status() -> str:
        answer = await deployment.stranger.get("com.atproto.sync.getRepoStatus", did=made.did)
        return str(answer.json().get("status"))

    for decision, expected in (
        ({"takedown": True}, "takendown"),
        ({"takedown": False}, "deactivated"),
        ({"takedown": True}, "takendown"),
        ({}, "takendown"),
    ):
        await decide(deployment, account(ana), **decision)
        assert await status() == expected
    assert await deployment.announced(made.did) == []
    await deployment.db.write(lambda w: email_confirmation.show(w, public_registry.repositories, made.did))
    assert await deployment.announced(made.did) == []
    await decide(deployment, account(ana), takedown=False)
    assert await deployment.announced(made.did) == ["account active", "identity ana.test", "sync"]


async def test_new_handle_does_not_announce_an_unconfirmed_account(
    deployment: Deployment, public_registry: Registry
) -> None:
    """The directory has the new handle at once; the network learns it with the account. The same holds for a change
    that a crash has interrupted.
    """
    made = await creation.create(public_registry, WISH)
    ana = session_of(deployment, made)
    assert (await ana.post(f"{IDENTITY}.updateHandle", {"handle": "anna.test"})).status_code == 200
    assert (await deployment.directory.log(made.did))[-1]["alsoKnownAs"] == ["at://anna.test"]
    registry = deployment.pds.registry
    operation = await plc_updates.new_handle(
        registry.directory, registry.rotation_key, made.did, parse_handle("annabel.test")
    )
    assert operation is not None
    await plc_updates.intend(registry.db, made.did, operation)
    await registry.directory.submit(made.did, operation)
    assert await plc_updates.repair(registry.plc, await plc_updates.unfinished(registry.db, patience=0)) == 0
    assert await deployment.announced(made.did) == []
    await deployment.db.write(lambda w: email_confirmation.show(w, public_registry.repositories, made.did))
    assert await deployment.announced(made.did) == ["account active", "identity anna.test", "sync"]


async def test_submitted_operation_does_not_announce_an_unconfirmed_account(
    deployment: Deployment, public_registry: Registry
) -> None:
    made = await creation.create(public_registry, WISH)
    ana = session_of(deployment, made)
    assert (await ana.post(f"{IDENTITY}.requestPlcOperationSignature")).status_code == 200
    wish = {"token": await newest_token(deployment, ANAS), "alsoKnownAs": ["at://ana.test", "https://ana.example.org"]}
    operation = (await ana.post(f"{IDENTITY}.signPlcOperation", wish)).json()["operation"]
    assert (await ana.post(f"{IDENTITY}.submitPlcOperation", {"operation": operation})).status_code == 200
    assert len(await deployment.directory.log(made.did)) == 2
    assert await deployment.announced(made.did) == []


async def test_unconfirmed_account_is_removed_with_its_identity(
    deployment: Deployment, public_registry: Registry
) -> None:
    """An account that is never confirmed is removed with its identity. It was never announced, nobody else has a key,
    and its name is free at once.
    """
    made = await creation.create(public_registry, WISH)
    deployment.clock.turn(email_confirmation.PATIENCE + DAY)
    assert await deletion.delete_forgotten(deployment.pds.registry) == 1
    assert (
        await plc_updates.repair(
            deployment.pds.registry.plc, await plc_updates.unfinished(deployment.pds.registry.db, patience=0)
        )
        == 0
    )
    assert await deployment.announced(made.did) == []
    assert (await deployment.directory.log(made.did))[-1]["type"] == "plc_tombstone"
    await deployment.sign_up("ana")


async def test_identity_with_a_key_of_its_owner_outlives_the_account(
    deployment: Deployment, public_registry: Registry
) -> None:
    mine = format_did_key(K256PrivateKey(bytes([7]) * 32).public)
    made = await creation.create(public_registry, replace(WISH, recovery_key=mine))
    deployment.clock.turn(email_confirmation.PATIENCE + DAY)
    assert await deletion.delete_forgotten(deployment.pds.registry) == 1
    await plc_updates.repair(
        deployment.pds.registry.plc, await plc_updates.unfinished(deployment.pds.registry.db, patience=0)
    )
    assert await deployment.directory.living() == {made.did}


async def test_operators_recovery_key_is_second_and_does_not_keep_an_identity(
    deployment: Deployment, public_registry: Registry
) -> None:
    """The operator's recovery key is placed after the person's key and before the server's. An identity that only
    server and operator hold is removed with its account.
    """
    mine, operators = K256PrivateKey(bytes([7]) * 32).public, K256PrivateKey(bytes([8]) * 32).public
    registry = replace(public_registry, operators_key=operators)
    kept = await creation.create(registry, replace(WISH, recovery_key=format_did_key(mine)))
    (operation,) = await deployment.directory.log(kept.did)
    keys = [format_did_key(key) for key in (mine, operators, registry.rotation_key.public)]
    assert operation["rotationKeys"] == keys
    account = await queries.require_account(registry.db, kept.did)
    hosting = await own_identity.hosting_of(registry, account)
    assert plc_requests.recommended(hosting, is_plc=True)["rotationKeys"] == keys

    await creation.create(
        registry, AccountRequest(handle="ben.test", email="ben@example.org", password="password of ben")
    )
    deployment.clock.turn(email_confirmation.PATIENCE + DAY)
    assert await deletion.delete_forgotten(registry) == 2
    await plc_updates.repair(registry.plc, await plc_updates.unfinished(registry.db, patience=0))
    assert await deployment.directory.living() == {kept.did}


async def test_invited_and_admin_created_accounts_are_visible_at_once(
    deployment: Deployment, public_registry: Registry
) -> None:
    code = (await deployment.administration.post(f"{SERVER}.createInviteCode", {"useCount": 1})).json()["code"]
    invited = await creation.create(public_registry, replace(WISH, invite_code=code))
    wish = AccountRequest(handle="ben.test", email="ben@example.org", password="password of ben", by_admin=True)
    hosts = await creation.create(replace(public_registry, needs_invite=True), wish)
    for made in (invited, hosts):
        assert made.awaits is None
        assert (await deployment.announced(made.did))[1] == "account active"
    # A used-up invite is reported as invalid even where none is needed.
    again = AccountRequest(handle="cleo.test", email="cleo@example.org", password="password of cleo", invite_code=code)
    with pytest.raises(Refused) as refused:
        await creation.create(public_registry, again)
    assert refused.value.name == "InvalidInviteCode"
    assert (
        await creation.create(public_registry, replace(again, invite_code=None))
    ).awaits is UnannouncedReason.CONFIRMATION


async def test_host_creates_accounts_without_an_invite(deployment: Deployment) -> None:
    wish = {"handle": "ana.test", "email": ANAS, "password": "password of ana"}
    assert (await deployment.administration.post(f"{SERVER}.createAccount", wish)).status_code == 200


SAFE = {
    "PDS_HOSTNAME": "pds.example.com",
    "PDS_ADMIN_PASSWORD": "long and secret",
    "PDS_DID_PLC_URL": "https://plc.example.org",
}
MAIL = {"PDS_EMAIL_SMTP_URL": "smtp://mail.example.com", "PDS_EMAIL_FROM_ADDRESS": "pds@example.com"}


@pytest.mark.parametrize(
    ("environment", "needs_invite", "confirms"),
    [
        ({"PDS_DEV_MODE": "true"}, False, False),
        ({"PDS_DEV_MODE": "true", "PDS_INVITE_REQUIRED": "true"}, True, False),
        (SAFE, True, True),
        ({**SAFE, **MAIL, "PDS_INVITE_REQUIRED": "false"}, False, True),
    ],
    ids=["laptop", "laptop-invites", "public", "public-open"],
)
def test_rules_of_sign_up_follow_from_the_settings(
    environment: dict[str, str], needs_invite: bool, confirms: bool
) -> None:
    settings: Any = read_checked(environment)
    assert isinstance(settings, PdsSettings)
    assert (settings.needs_invite, settings.confirms_email) == (needs_invite, confirms)


def test_open_sign_up_without_mail_does_not_start() -> None:
    """Open sign-up without mail does not start, because nobody could ever confirm."""
    with pytest.raises(SettingsRefused, match="PDS_INVITE_REQUIRED is off, but PDS_EMAIL_SMTP_URL is not set"):
        read_checked({**SAFE, "PDS_INVITE_REQUIRED": "false"})
