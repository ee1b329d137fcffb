"""Requests of the administrator: invites and their use, statuses of every kind of subject, e-mails to accounts."""

from typing import Any

from tests.interop.parity.sides import Side
from tests.interop.parity.writing import NO_COMMIT, NOT_HERE, NOTE

_ADMIN, _SERVER, _REPO = "com.atproto.admin", "com.atproto.server", "com.atproto.repo"
_INVITES, _OWN = f"{_ADMIN}.getInviteCodes", f"{_SERVER}.getAccountInviteCodes"
_NOBODY = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
_DEFS = f"{_ADMIN}.defs"


async def invites(side: Side) -> None:
    """Codes for nobody and somebody, used once, used up and disabled, and the lists of their owner."""
    xan, app = await side.person("xan")
    for body in (
        {"useCount": 2, "forAccount": xan.did},
        {"useCount": 2, "forAccount": _NOBODY},
        {"useCount": 2, "forAccount": "admin"},
        {"useCount": 2, "forAccount": "xan.test"},
        {"useCount": 2, "forAccount": ""},
        {"useCount": 2**31},
        {"useCount": 2**60},
        {"useCount": 1.5},
        {"useCount": 1, "unknown": True},
    ):
        await side.post(
            f"createInviteCode {body}".replace(xan.did, "xan"), f"{_SERVER}.createInviteCode", body, side.admin
        )
    for body in (
        {"codeCount": 0, "useCount": 1},
        {"codeCount": -1, "useCount": 1},
        {"codeCount": 3, "useCount": 1},
        {"codeCount": 1, "useCount": 1, "forAccounts": [_NOBODY, _NOBODY]},
        {"codeCount": 1, "useCount": 1, "forAccounts": [_NOBODY]},
        {"codeCount": 1, "useCount": 1, "forAccounts": ["nonsense"]},
        {"codeCount": 1, "useCount": 1, "forAccounts": [5]},
    ):
        await side.post(
            f"createInviteCodes {body}".replace(xan.did, "xan"), f"{_SERVER}.createInviteCodes", body, side.admin
        )
    await side.post("by its owner", f"{_SERVER}.createInviteCode", {"useCount": 1}, xan.access)
    made = await side.call(f"{_SERVER}.createInviteCode", {"useCount": 2, "forAccount": xan.did}, side.admin)
    code = made["code"]
    for number in (1, 2, 3):
        body = {
            "handle": f"guest{number}.test",
            "email": f"guest{number}@example.org",
            "password": "a good password",
            "inviteCode": code,
        }
        guest = await side.post(f"signing up {number}", f"{_SERVER}.createAccount", body)
        side.names[guest.get("did", "none")] = f"<guest {number}>"
        for query in (
            {},
            {"includeUsed": "false"},
            {"includeUsed": "true", "createAvailable": "false"},
            {"includeUsed": "false", "createAvailable": "false"},
        ):
            await side.get(f"its codes {query} after {number}", _OWN, headers=xan.access, **query)
    await side.get("its codes by an app", _OWN, headers=app.access)
    await side.get("its account", f"{_ADMIN}.getAccountInfo", did=xan.did, headers=side.admin)
    off: dict[str, Any]
    for off in (
        {"codes": [code]},
        {"codes": [code, code]},
        {"accounts": [xan.did]},
        {"codes": [], "accounts": []},
        {},
        {"accounts": [_NOBODY, "nonsense"]},
        {"accounts": ["admin", xan.did]},
    ):
        label = str(off).replace(xan.did, "xan").replace(code, "code")
        await side.post(f"disableInviteCodes {label}", f"{_ADMIN}.disableInviteCodes", off, side.admin)
        await side.get(f"its codes after {label}", _OWN, headers=xan.access)
    body = {"handle": "guest9.test", "email": "guest9@example.org", "password": "a good password", "inviteCode": code}
    await side.post("signing up with a disabled code", f"{_SERVER}.createAccount", body)
    for name in ("disableAccountInvites", "enableAccountInvites"):
        await side.post(f"{name}", f"{_ADMIN}.{name}", {"account": xan.did, "note": "a note"}, side.admin)
        await side.get(f"its account after {name}", f"{_ADMIN}.getAccountInfo", did=xan.did, headers=side.admin)
        await side.post(
            f"a code after {name}", f"{_SERVER}.createInviteCode", {"useCount": 1, "forAccount": xan.did}, side.admin
        )
        await side.get(f"its codes after {name}", _OWN, headers=xan.access)
        made = await side.call(f"{_SERVER}.createInviteCode", {"useCount": 1, "forAccount": xan.did}, side.admin)
        number = {"disableAccountInvites": 4, "enableAccountInvites": 5}[name]
        body = {
            "handle": f"guest{number}.test",
            "email": f"guest{number}@example.org",
            "password": "a good password",
            "inviteCode": made["code"],
        }
        await side.post(f"signing up after {name}", f"{_SERVER}.createAccount", body)
    for query in (
        {"limit": 0},
        {"limit": 501},
        {"limit": 1, "sort": "usage"},
        {"limit": 1},
        {"cursor": "nonsense"},
        {"cursor": "nonsense", "sort": "usage"},
    ):
        await side.ask(f"getInviteCodes {query}", "GET", _INVITES, query=query, headers=side.admin)


async def subjects(side: Side) -> None:
    """Statuses of accounts, records and blobs: taken down, restored, named in other ways, and of nobody."""
    yan, _ = await side.person("yan")
    upload = {**yan.access, "content-type": "text/plain"}
    answer = await side.ask("a blob", "POST", f"{_REPO}.uploadBlob", content=b"a blob of yan", headers=upload)
    blob = answer.json()["blob"]
    cid = blob["ref"]["$link"]
    uri = f"at://{yan.did}/{NOTE}/first"
    account = {"$type": f"{_DEFS}#repoRef", "did": yan.did}
    record = {"$type": "com.atproto.repo.strongRef", "uri": uri, "cid": NO_COMMIT}
    stored = {"$type": f"{_DEFS}#repoBlobRef", "did": yan.did, "cid": cid}
    named: dict[str, dict[str, Any]] = {
        "an account": account,
        "a record": record,
        "a blob": stored,
        "a blob with its record": {**stored, "recordUri": uri},
        "a record by handle": {**record, "uri": f"at://yan.test/{NOTE}/first"},
        "a record that is not there": {**record, "uri": f"at://{yan.did}/{NOTE}/nothing"},
        "a record of nobody": {**record, "uri": f"at://{_NOBODY}/{NOTE}/first"},
        "a blob that is not there": {**stored, "cid": NOT_HERE},
        "a blob of nobody": {**stored, "did": _NOBODY},
        "an account of nobody": {**account, "did": _NOBODY},
        "an account without a type": {"did": yan.did},
        "an account of an unknown type": {**account, "$type": "org.example.other"},
        "an account with a field more": {**account, "more": 1},
        "a blob without a CID": {"$type": f"{_DEFS}#repoBlobRef", "did": yan.did},
        "a record without a CID": {"$type": "com.atproto.repo.strongRef", "uri": uri},
        "a message": {"$type": "chat.bsky.convo.defs#messageRef", "did": yan.did, "messageId": "m", "convoId": "c"},
        "nothing": {},
    }
    decisions: dict[str, dict[str, Any]] = {
        "taken down": {"takedown": {"applied": True, "ref": "a reason"}},
        "taken down again": {"takedown": {"applied": True, "ref": "another"}},
        "restored": {"takedown": {"applied": False}},
        "restored again": {"takedown": {"applied": False, "ref": "a reason"}},
        "taken down without a reason": {"takedown": {"applied": True}},
        "restored at last": {"takedown": {"applied": False}},
        "deactivated": {"deactivated": {"applied": True}},
        "reactivated": {"deactivated": {"applied": False}},
        "both": {"takedown": {"applied": True}, "deactivated": {"applied": True}},
        "neither": {"takedown": {"applied": False}, "deactivated": {"applied": False}},
        "contradicted": {"takedown": {"applied": True}, "deactivated": {"applied": False}},
        "undecided": {},
        "with a text": {"takedown": {"applied": "yes"}},
        "with nothing": {"takedown": {}},
        "with null": {"takedown": None},
    }
    for what, subject in named.items():
        for how, decision in decisions.items():
            await side.post(
                f"{what}, {how}", f"{_ADMIN}.updateSubjectStatus", {"subject": subject, **decision}, side.admin
            )
            query = {name: subject[name] for name in ("did", "uri") if name in subject}
            query |= {"blob": subject["cid"]} if "did" in subject and "cid" in subject else {}
            await side.ask(
                f"the status of {what}, {how}", "GET", f"{_ADMIN}.getSubjectStatus", query=query, headers=side.admin
            )
    for what, query in {
        "everything": {"did": yan.did, "uri": uri, "blob": cid},
        "an account and a record": {"did": yan.did, "uri": uri},
        "a record and a blob": {"uri": uri, "blob": cid},
        "a blob alone": {"blob": cid},
        "a handle": {"did": "yan.test"},
        "a collection": {"uri": f"at://{yan.did}/{NOTE}"},
        "a blob that is none": {"did": yan.did, "blob": "nonsense"},
    }.items():
        await side.ask(f"the status of {what}", "GET", f"{_ADMIN}.getSubjectStatus", query=query, headers=side.admin)


async def emails(side: Side) -> None:
    """E-mails to accounts: with each field missing or unusual, and to accounts that are inactive."""
    zoe, _ = await side.person("zoe")
    right = {"recipientDid": zoe.did, "content": "a text", "subject": "a subject", "senderDid": zoe.did}
    for label, change in {
        "right": {},
        "no subject": {"subject": None},
        "an empty subject": {"subject": ""},
        "a subject of two lines": {"subject": "one\r\nBcc: other@example.org"},
        "a long subject": {"subject": "x" * 2000},
        "an empty text": {"content": ""},
        "a long text": {"content": "x" * 90_000},
        "HTML": {"content": "<p>a <b>text</b></p>"},
        "a comment": {"comment": "a comment"},
        "no sender": {"senderDid": None},
        "another sender": {"senderDid": _NOBODY},
        "a sender that is none": {"senderDid": "nonsense"},
        "nobody": {"recipientDid": _NOBODY},
        "a handle": {"recipientDid": "zoe.test"},
        "no recipient": {"recipientDid": None},
        "no text": {"content": None},
    }.items():
        body = {name: value for name, value in {**right, **change}.items() if value is not None}
        await side.post(label, f"{_ADMIN}.sendEmail", body, side.admin)
    for how in ({"deactivated": {"applied": True}}, {"takedown": {"applied": True}}):
        subject = {"$type": f"{_DEFS}#repoRef", "did": zoe.did}
        await side.call(f"{_ADMIN}.updateSubjectStatus", {"subject": subject, **how}, side.admin)
        await side.post(f"to one that is {next(iter(how))}", f"{_ADMIN}.sendEmail", right, side.admin)


GROUPS = {"administration, invites": invites, "administration, subjects": subjects, "administration, e-mails": emails}
