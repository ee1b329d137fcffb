"""A person's repository, written, exported and imported with the methods of the PDS."""

from typing import Any

import httpx

from tests.aurora_locus.deployment import Person

REPO, SYNC = "com.atproto.repo", "com.atproto.sync"
CAR_TYPE = "application/vnd.ipld.car"


async def import_repo(person: Person, content: Any, content_type: str = CAR_TYPE) -> httpx.Response:
    """Upload a CAR file as the person's repository."""
    headers = {**person.headers, "content-type": content_type}
    return await person.http.post(f"/xrpc/{REPO}.importRepo", content=content, headers=headers)


async def put_note(person: Person, rkey: str, **fields: Any) -> None:
    record = {"$type": "org.example.note", **fields}
    answer = await person.post(
        f"{REPO}.putRecord",
        {"repo": person.did, "collection": "org.example.note", "rkey": rkey, "record": record},
    )
    assert answer.status_code == 200, answer.text


async def export_repository(person: Person) -> bytes:
    answer = await person.http.get(f"/xrpc/{SYNC}.getRepo", params={"did": person.did}, headers=person.headers)
    assert answer.status_code == 200, answer.text
    return answer.content
