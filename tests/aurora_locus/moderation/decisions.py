"""Administrative decisions about accounts and content, made as by a client."""

from typing import Any

import httpx

from tests.aurora_locus.deployment import SERVER, Deployment, Person

UPDATE, STATUS = "com.atproto.admin.updateSubjectStatus", "com.atproto.admin.getSubjectStatus"


def account(person: Person) -> dict[str, Any]:
    return {"$type": "com.atproto.admin.defs#repoRef", "did": person.did}


def record(written: Any) -> dict[str, Any]:
    return {"$type": "com.atproto.repo.strongRef", "uri": written["uri"], "cid": written["cid"]}


def blob(person: Person, cid: str) -> dict[str, Any]:
    return {"$type": "com.atproto.admin.defs#repoBlobRef", "did": person.did, "cid": cid}


async def decide(deployment: Deployment, subject: dict[str, Any], **decisions: Any) -> httpx.Response:
    """Update the status of a subject, for example ``takedown=True``."""
    body = {"subject": subject} | {name: {"applied": applied} for name, applied in decisions.items()}
    answer = await deployment.administration.post(UPDATE, body)
    assert answer.status_code == 200, answer.text
    return answer


async def take_down(deployment: Deployment, person: Person) -> None:
    await decide(deployment, account(person), takedown=True)


async def write_note(person: Person, **more: Any) -> Any:
    body = {"repo": person.did, "collection": "org.example.note", "record": {"text": "hello", **more}}
    answer = await person.post("com.atproto.repo.createRecord", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def upload(person: Person, content: bytes = b"a blob") -> httpx.Response:
    headers = {**person.headers, "content-type": "text/plain"}
    return await person.http.post("/xrpc/com.atproto.repo.uploadBlob", content=content, headers=headers)


CREATE_REPORT = "com.atproto.moderation.createReport"
SPAM_REASON = "com.atproto.moderation.defs#reasonSpam"


async def sign_in_taken_down(
    deployment: Deployment, person: Person, password: str = "password of ana"
) -> httpx.Response:
    wish = {"identifier": person.did, "password": password, "allowTakendown": True}
    return await deployment.stranger.post(f"{SERVER}.createSession", wish)


async def send_report(person: Person, subject: dict[str, Any], **more: Any) -> httpx.Response:
    return await person.post(CREATE_REPORT, {"reasonType": SPAM_REASON, "subject": subject, **more})
