"""Requests about accounts: sessions, app passwords, sign-up, deletion, e-mailed codes, invites, administration."""

from typing import Any

from tests.interop.parity.sides import Side, basic, bearer

_SERVER, _IDENTITY, _ADMIN = "com.atproto.server", "com.atproto.identity", "com.atproto.admin"


async def sessions(side: Side) -> None:
    """Sessions are opened by each identifier, refused, refreshed twice and ended."""
    ida, _ = await side.person("ida")
    for what, identifier in {
        "handle": ida.handle,
        "capitals": ida.handle.upper(),
        "@handle": f"@{ida.handle}",
        "e-mail": ida.email,
        "e-mail in capitals": ida.email.upper(),
        "DID": ida.did,
        "nobody's handle": "nobody.test",
        "nobody's e-mail": "nobody@example.org",
        "nobody's DID": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
        "nothing": "",
    }.items():
        body = {"identifier": identifier, "password": ida.password}
        await side.post(f"by {what}", f"{_SERVER}.createSession", body)
        await side.post(f"by {what}, wrong", f"{_SERVER}.createSession", {**body, "password": "wrong"})
    right = {"identifier": ida.handle, "password": ida.password}
    await side.post("no password", f"{_SERVER}.createSession", {**right, "password": ""})
    await side.post("a long password", f"{_SERVER}.createSession", {**right, "password": "x" * 600})
    await side.post(
        "a factor that nobody wants", f"{_SERVER}.createSession", {**right, "authFactorToken": "AAAAA-BBBBB"}
    )
    mine = await side.sign_in(ida)
    await side.get("getSession", f"{_SERVER}.getSession", headers=mine.access)
    await side.get("getSession by the refresh token", f"{_SERVER}.getSession", headers=mine.refresh)
    await side.post("refreshSession by the access token", f"{_SERVER}.refreshSession", None, mine.access)
    next_ = await side.post("refreshSession", f"{_SERVER}.refreshSession", None, mine.refresh)
    await side.post("refreshSession again", f"{_SERVER}.refreshSession", None, mine.refresh)
    await side.get("getSession by the token before", f"{_SERVER}.getSession", headers=mine.access)
    await side.post("deleteSession by the access token", f"{_SERVER}.deleteSession", None, bearer(next_["accessJwt"]))
    await side.post("deleteSession", f"{_SERVER}.deleteSession", None, bearer(next_["refreshJwt"]))
    await side.post("deleteSession again", f"{_SERVER}.deleteSession", None, bearer(next_["refreshJwt"]))
    await side.post("refreshSession afterwards", f"{_SERVER}.refreshSession", None, bearer(next_["refreshJwt"]))


async def app_passwords(side: Side) -> None:
    """App passwords are created, listed, used with and without privileges, and revoked."""
    ida, _ = await side.person("ida")
    plain = await side.by_app_password(ida, "plain")
    privileged = await side.by_app_password(ida, "privileged", privileged=True)
    await side.get("the list", f"{_SERVER}.listAppPasswords", headers=ida.access)
    for what, name in {"taken": "plain", "empty": "", "long": "x" * 300, "odd": "Ä <b>"}.items():
        await side.post(f"a name that is {what}", f"{_SERVER}.createAppPassword", {"name": name}, ida.access)
    await side.post("a privileged one", f"{_SERVER}.createAppPassword", {"name": "p", "privileged": True}, ida.access)
    for who, account in {"plain": plain, "privileged": privileged}.items():
        await side.get(f"the session of {who}", f"{_SERVER}.getSession", headers=account.access)
        await side.post(f"refreshing {who}", f"{_SERVER}.refreshSession", None, account.refresh)
        for lxm in (
            "app.bsky.feed.getTimeline",
            "chat.bsky.convo.listConvos",
            f"{_SERVER}.createAccount",
            f"{_SERVER}.updateEmail",
        ):
            await side.get(
                f"a token for {lxm} of {who}",
                f"{_SERVER}.getServiceAuth",
                aud="did:web:x.test",
                lxm=lxm,
                headers=account.access,
            )
        for nsid, body in (
            (f"{_SERVER}.updateEmail", {"email": ida.email}),
            (f"{_SERVER}.requestEmailUpdate", None),
            (f"{_SERVER}.requestEmailConfirmation", None),
            (f"{_SERVER}.confirmEmail", {"email": ida.email, "token": "wrong"}),
            (f"{_SERVER}.requestAccountDelete", None),
            (f"{_IDENTITY}.signPlcOperation", {}),
            (f"{_IDENTITY}.requestPlcOperationSignature", None),
            (f"{_IDENTITY}.submitPlcOperation", {"operation": {"type": "plc_tombstone"}}),
        ):
            await side.post(f"{nsid} of {who}", nsid, body, account.access)
    for aud in ("nonsense", "did:web:x.test#service", "did:plc:x", "https://x.test"):
        await side.get(f"a token for {aud}", f"{_SERVER}.getServiceAuth", aud=aud, headers=ida.access)
    for exp in (1, 4_000_000_000):
        await side.get(
            f"a token until {exp}", f"{_SERVER}.getServiceAuth", aud="did:web:x.test", exp=exp, headers=ida.access
        )
    for name in ("plain", "plain", "nothing has it"):
        await side.post(f"taking back {name}", f"{_SERVER}.revokeAppPassword", {"name": name}, ida.access)
    await side.post("refreshing what was taken back", f"{_SERVER}.refreshSession", None, plain.refresh)


async def signing_up(side: Side) -> None:
    """Handles, e-mail addresses and passwords that a new account cannot have."""
    await side.person("ida")
    right: dict[str, Any] = {"handle": "jo1.test", "email": "jo1@example.org", "password": "a good password"}
    await side.post("right", f"{_SERVER}.createAccount", right)
    wishes: dict[str, dict[str, Any]] = {
        "a handle that is taken": {"handle": "ida.test"},
        "an e-mail that is taken": {"email": "ida@example.org"},
        "an e-mail that is taken, in capitals": {"email": "IDA@example.org"},
        "a short handle": {"handle": "jo.test"},
        "a long handle": {"handle": "a-name-that-is-too-long.test"},
        "a handle with a dot": {"handle": "jo.jo.test"},
        "a reserved handle": {"handle": "admin.test"},
        "another domain": {"handle": "jo.example.org"},
        "a handle that is none": {"handle": "jo_jo.test"},
        "no e-mail": {"email": None},
        "an e-mail that is none": {"email": "nonsense"},
        "an e-mail of a throw-away service": {"email": "jo@mailinator.com"},
        "no password": {"password": None},
        "a short password": {"password": "short"},
        "a long password": {"password": "x" * 300},
        "an invite that nobody gave": {"inviteCode": "nonsense"},
        "a DID without proof": {"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"},
        "a recovery key that is none": {"recoveryKey": "nonsense"},
        "an operation of its own": {"plcOp": {}},
    }
    for number, (what, change) in enumerate(wishes.items()):
        base = {**right, "handle": f"jo-{number}.test", "email": f"jo-{number}@example.org"}
        body = {name: value for name, value in {**base, **change}.items() if value is not None}
        await side.post(what, f"{_SERVER}.createAccount", body)


async def letters(side: Side) -> None:
    """Actions confirmed by an e-mailed code, with wrong codes, and for unknown accounts."""
    ida, _ = await side.person("ida")
    wrong = "AAAAA-BBBBB"
    for what, email in {"nobody": "nobody@example.org", "somebody": ida.email, "nonsense": "nonsense"}.items():
        await side.post(f"a reset for {what}", f"{_SERVER}.requestPasswordReset", {"email": email})
    for token in (wrong, "", "nonsense"):
        body = {"token": token, "password": "another password"}
        await side.post(f"resetting with {token!r}", f"{_SERVER}.resetPassword", body)
        confirm = {"email": ida.email, "token": token}
        await side.post(f"confirming with {token!r}", f"{_SERVER}.confirmEmail", confirm, ida.access)
        leave = {"did": ida.did, "password": ida.password, "token": token}
        await side.post(f"leaving with {token!r}", f"{_SERVER}.deleteAccount", leave)
        await side.post(f"signing with {token!r}", f"{_IDENTITY}.signPlcOperation", {"token": token}, ida.access)
    other = {"email": "other@example.org", "token": wrong}
    await side.post("confirming another address", f"{_SERVER}.confirmEmail", other, ida.access)
    leave = {"did": ida.did, "password": "wrong", "token": wrong}
    await side.post("leaving with a wrong password", f"{_SERVER}.deleteAccount", leave)
    nobody = {"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "password": "wrong", "token": wrong}
    await side.post("leaving as nobody", f"{_SERVER}.deleteAccount", nobody)
    for name in ("requestEmailConfirmation", "requestEmailUpdate", "requestAccountDelete"):
        await side.post(name, f"{_SERVER}.{name}", None, ida.access)
    for email in ("nonsense", "carol@example.org", ida.email):
        await side.post(f"the address becomes {email}", f"{_SERVER}.updateEmail", {"email": email}, ida.access)
    await side.post("a first operation", f"{_IDENTITY}.requestPlcOperationSignature", None, ida.access)


async def handles_by_the_host(side: Side) -> None:
    """Handles that only the administrator of the server may give, that nobody may have, and that owners may choose."""
    kay, _ = await side.person("kay")
    taken, _ = await side.person("ida")
    for handle in (
        *("support.test", "nasa.test", "SUPPORT.test", "tr4nny.test", "tr4nny-1.test", "ad.test", "a" * 19 + ".test"),
        *(
            "kay.kay.test",
            "kay.local",
            "kay.invalid",
            "kay.example.org",
            "tr4nny.example.org",
            "no handle",
            "",
            ".test",
        ),
        *("kay.com", taken.handle, "kay.test"),
    ):
        body = {"did": kay.did, "handle": handle}
        await side.post(f"updateAccountHandle to {handle[:40]}", f"{_ADMIN}.updateAccountHandle", body, side.admin)
        await side.get(f"resolving {handle[:40]}", "com.atproto.identity.resolveHandle", handle=handle)
        await side.post(
            f"renaming oneself to {handle[:40]}", f"{_IDENTITY}.updateHandle", {"handle": handle}, kay.access
        )


async def the_host(side: Side) -> None:
    """Methods for the administrator of the server, and invites."""
    kim, _ = await side.person("kim")
    nobody = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
    for what, headers in {
        "another name": basic("root", "with:a colon"),
        "no name": basic("", "with:a colon"),
        "an empty password": basic("admin", ""),
    }.items():
        await side.get(f"getAccountInfo with {what}", f"{_ADMIN}.getAccountInfo", did=kim.did, headers=headers)
    for what, did in {"somebody": kim.did, "nobody": nobody}.items():
        await side.get(f"getAccountInfo of {what}", f"{_ADMIN}.getAccountInfo", did=did, headers=side.admin)
        await side.get(f"getSubjectStatus of {what}", f"{_ADMIN}.getSubjectStatus", did=did, headers=side.admin)
    await side.get("getAccountInfos of both", f"{_ADMIN}.getAccountInfos", dids=[kim.did, nobody], headers=side.admin)
    await side.get("getSubjectStatus of nothing", f"{_ADMIN}.getSubjectStatus", headers=side.admin)
    for sort in ("usage", "nonsense"):
        await side.get(f"getInviteCodes by {sort}", f"{_ADMIN}.getInviteCodes", sort=sort, headers=side.admin)
    for count in (0, 1, 5, -1):
        await side.post(f"an invite for {count}", f"{_SERVER}.createInviteCode", {"useCount": count}, side.admin)
    await side.get("getInviteCodes by recent", f"{_ADMIN}.getInviteCodes", sort="recent", headers=side.admin)
    several = {"codeCount": 2, "useCount": 1, "forAccounts": [kim.did, "admin"]}
    await side.post("several invites", f"{_SERVER}.createInviteCodes", several, side.admin)
    await side.post(
        "invites for no accounts", f"{_SERVER}.createInviteCodes", {**several, "forAccounts": []}, side.admin
    )
    await side.get("one's own invites", f"{_SERVER}.getAccountInviteCodes", headers=kim.access)
    for account in (kim.did, nobody):
        for name in ("disableAccountInvites", "enableAccountInvites"):
            await side.post(
                f"{name} of {side.names.get(account, 'nobody')}", f"{_ADMIN}.{name}", {"account": account}, side.admin
            )
    await side.post("disableInviteCodes", f"{_ADMIN}.disableInviteCodes", {"codes": ["nonsense"]}, side.admin)
    await side.post("disableInviteCodes of admin", f"{_ADMIN}.disableInviteCodes", {"accounts": ["admin"]}, side.admin)
    changes: dict[str, dict[str, Any]] = {
        "updateAccountHandle": {"handle": "kimberly.test"},
        "updateAccountEmail": {"email": "kim2@example.org"},
        "updateAccountPassword": {"password": "another password"},
        "deleteAccount": {},
    }
    for name, change in changes.items():
        for what, did in {"nobody": nobody, "somebody": kim.did}.items():
            body = {"account" if name == "updateAccountEmail" else "did": did, **change}
            await side.post(f"{name} of {what}", f"{_ADMIN}.{name}", body, side.admin)
    await side.post("signing in afterwards", f"{_SERVER}.createSession", {"identifier": kim.handle, "password": "x"})
    await side.get("the session afterwards", f"{_SERVER}.getSession", headers=kim.access)


GROUPS = {
    "sessions": sessions,
    "app passwords": app_passwords,
    "signing up": signing_up,
    "letters": letters,
    "the host": the_host,
    "handles by the host": handles_by_the_host,
}
