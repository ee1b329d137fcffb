"""Administrative decisions about accounts and content, made as by a client."""

from typing import Any

import httpx

from tests.aurora_locus.deployment import Deployment, Person

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
