"""App passwords: shown once, scoped, revocable."""

import re
from typing import Any

import msgspec
import pytest
from argon2 import PasswordHasher

from at_protocol.crypto import base64url
from at_protocol.syntax.did import Did
from aurora_locus.accounts import passwords
from aurora_locus.accounts.app_passwords import MAX_APP_PASSWORDS
from tests.aurora_locus.deployment import IDENTITY, SERVER, Deployment, Person, statuses, together

CREATE, LIST, REVOKE = (f"{SERVER}.{name}" for name in ("createAppPassword", "listAppPasswords", "revokeAppPassword"))


async def make(person: Person, name: str = "phone", **more: Any) -> str:
    answer = await person.post(CREATE, {"name": name, **more})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["password"])


async def app_of(deployment: Deployment, person: Person, password: str) -> Person:
    answer = await deployment.sign_in(person.did, password)
    assert answer.status_code == 200, answer.text
    return deployment.person(answer)


def scope_of(person: Person) -> str:
    token = person.headers["authorization"].removeprefix("Bearer ")
    return str(msgspec.json.decode(base64url.decode(token.split(".")[1]))["scope"])


async def test_shown_once_and_listed_by_name(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    password = await make(ana, " phone ")
    assert re.fullmatch(r"[a-z2-7]{4}(-[a-z2-7]{4}){3}", password)
    deployment.clock.turn(1_000_000)
    await make(ana, "chat", privileged=True)
    known = (await ana.get(LIST)).json()["passwords"]
    # The newest is first, as in the reference PDS.
    assert [(one["name"], one["privileged"]) for one in known] == [("chat", True), ("phone", False)]
    assert all("password" not in one for one in known)


@pytest.mark.parametrize(
    ("privileged", "scope"), [(False, "com.atproto.appPass"), (True, "com.atproto.appPassPrivileged")]
)
async def test_scope_survives_refreshing(deployment: Deployment, privileged: bool, scope: str) -> None:
    """Refreshing does not change the scope, even after several times."""
    ana = await deployment.sign_up("ana")
    app = await app_of(deployment, ana, await make(ana, privileged=privileged))
    for _ in range(3):
        assert scope_of(app) == scope
        answer = await app.bearing(app.refresh_token).post(f"{SERVER}.refreshSession")
        assert answer.status_code == 200
        app = deployment.person(answer)
    assert scope_of(ana) == "com.atproto.access"


async def test_permissions_of_an_app_password(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    for privileged in (False, True):
        app = await app_of(deployment, ana, await make(ana, f"app {privileged}", privileged=privileged))
        record = {"repo": ana.did, "collection": "org.example.note", "record": {"text": "hello"}}
        allowed = [
            await app.post("com.atproto.repo.createRecord", record),
            await app.get(f"{SERVER}.getSession"),
            await app.get(LIST),
            await app.post(REVOKE, {"name": "phone"}),
            await app.post(f"{IDENTITY}.updateHandle", {"handle": f"ana-{privileged}.test".lower()}),
        ]
        assert statuses(allowed) == [200] * len(allowed)
        refused = [
            await app.post(CREATE, {"name": "another"}),
            await app.post(f"{SERVER}.deactivateAccount", {}),
            await app.post(f"{SERVER}.activateAccount"),
        ]
        assert [(one.status_code, one.json()["error"]) for one in refused] == [(400, "InvalidToken")] * len(refused)
    assert len((await ana.get(LIST)).json()["passwords"]) == 2


async def test_revoking_an_app_password_ends_only_its_sessions(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    lost, kept = await make(ana, "lost"), await make(ana, "kept")
    of_lost, of_kept = await app_of(deployment, ana, lost), await app_of(deployment, ana, kept)
    assert (await ana.post(REVOKE, {"name": "lost"})).status_code == 200
    assert (await ana.post(REVOKE, {"name": "lost"})).status_code == 200
    assert (await deployment.sign_in(ana.did, lost)).json()["error"] == "AuthenticationRequired"
    refused = await of_lost.bearing(of_lost.refresh_token).post(f"{SERVER}.refreshSession")
    assert (refused.status_code, refused.json()["error"]) == (400, "ExpiredToken")
    for person in (of_kept, ana):
        assert (await person.bearing(person.refresh_token).post(f"{SERVER}.refreshSession")).status_code == 200


async def test_name_belongs_to_one_app_password(deployment: Deployment) -> None:
    """A name belongs to one app password of an account: of two concurrent requests one succeeds. Another account may
    use the same name.
    """
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    assert statuses(await together(*(ana.post(CREATE, {"name": "phone"}) for _ in range(4)))) == [200, 400, 400, 400]
    assert (await ben.post(CREATE, {"name": "phone"})).status_code == 200


async def test_number_of_app_passwords_is_limited(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    rows = [{"did": ana.did, "name": f"app {number}", "number": number} for number in range(MAX_APP_PASSWORDS - 1)]
    insert = """
        insert into app_passwords (did, name, password_hash, privileged, created_at)
        values (:did, :name, :name, 0, :number)
    """
    await deployment.db.write(lambda w: w.execute_many(insert, rows))
    await make(ana, "the last")
    refused = await ana.post(CREATE, {"name": "one more"})
    assert (refused.status_code, refused.json()["error"]) == (400, "InvalidRequest")
    assert (await ana.post(REVOKE, {"name": "app 1"})).status_code == 200
    await make(ana, "one more")


async def test_app_password_opens_only_its_own_account(deployment: Deployment) -> None:
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    password = await make(ana)
    assert (await deployment.sign_in(ben.did, password)).json()["error"] == "AuthenticationRequired"


# A family, which is several characters with joiners; a French space; a Persian word with a non-joiner.
@pytest.mark.parametrize(
    "name", ["\U0001f468\u200d\U0001f469\u200d\U0001f467", "ici\u202f!", "\u0645\u06cc\u200c\u0634\u0648\u062f"]
)
async def test_names_in_any_language_can_be_given_and_revoked(deployment: Deployment, name: str) -> None:
    """The reference PDS takes them, and so they also come with imported accounts."""
    ana = await deployment.sign_up("ana")
    await make(ana, name)
    assert [one["name"] for one in (await ana.get(LIST)).json()["passwords"]] == [name]
    assert (await ana.post(REVOKE, {"name": name})).status_code == 200
    assert await deployment.count("app_passwords") == 0


async def test_imported_names_can_be_revoked(deployment: Deployment) -> None:
    """Imported from a reference PDS, a name may have spaces around it, or a character that we refuse."""
    ana = await deployment.sign_up("ana")
    for name in (" phone ", "\u202ephone", "two\nlines"):
        await make(ana, "phone")
        await make(ana, "other")
        async with deployment.db.transaction() as tx:
            await tx.execute("update app_passwords set name = :name where name = 'other'", name=name)
        assert (await ana.post(REVOKE, {"name": name})).status_code == 200
        assert [one["name"] for one in (await ana.get(LIST)).json()["passwords"]] == ["phone"]
        assert (await ana.post(REVOKE, {"name": " phone "})).status_code == 200
        assert await deployment.count("app_passwords") == 0


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "x" * 101, "two\nlines", "\u202edcba", "a\u2028b"])
async def test_names_that_cannot_be_shown_are_refused(deployment: Deployment, name: str) -> None:
    ana = await deployment.sign_up("ana")
    answer = await ana.post(CREATE, {"name": name})
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequest")
    assert (await ana.post(REVOKE, {"name": name})).status_code == 200
    assert await deployment.count("app_passwords") == 0


async def test_unknown_account_and_wrong_password_take_the_same_time(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown account and a wrong password take the same time: both hashes are computed for anything that could be
    an app password.
    """
    ana = await deployment.sign_up("ana")
    await make(ana)
    hashed: list[str] = []
    verify, scrypt = PasswordHasher.verify, passwords._scrypt

    def counted(self: PasswordHasher, *arguments: Any) -> bool:
        hashed.append("argon2")
        return verify(self, *arguments)

    def counted_too(*arguments: Any) -> str:
        hashed.append("scrypt")
        return scrypt(*arguments)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    monkeypatch.setattr(passwords, "_scrypt", counted_too)
    for identifier in ("ana.test", "nobody.test"):
        hashed.clear()
        answer = await deployment.sign_in(identifier, "aaaa-bbbb-cccc-dddd")
        assert (answer.status_code, sorted(hashed)) == (401, ["argon2", "scrypt"])


def test_hash_equals_that_of_the_reference_server() -> None:
    """The hash is that of the reference server, salted with the first 16 bytes of the DID's SHA-256. The value was made
    by Node's crypto module.
    """
    made = passwords._of_app(Did("did:plc:ragtjsm2j2vknwkz3zp4oxrd"), "aaaa-bbbb-cccc-dddd")
    assert made == (
        "f923f992abc627cf631e21353bfb4cc0:"
        "e030f818a94858b6b7b6e91a5a2fec386ba2ab00fa396ac7db64329c0752ace8"
        "8bdf75fa8b8ba58ca0c1b6b6fe6f9f5b7624ec4b0bef0dd32c1acae639ef08ba"
    )
