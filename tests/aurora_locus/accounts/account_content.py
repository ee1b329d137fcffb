"""Content of an account on the PDS, and its archive."""

from pathlib import Path
from typing import Any

from aurora_locus.accounts import archive, queries
from aurora_locus.accounts.model import Account
from tests.aurora_locus.deployment import Deployment, Person

PNG_OF_AN_ACCOUNT = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3000


async def add_content(deployment: Deployment, person: Person) -> dict[str, Any]:
    """Add two notes, a picture that one of them shows, and preferences; returns the reference to the picture."""
    uploaded = await deployment.http.post(
        "/xrpc/com.atproto.repo.uploadBlob",
        content=PNG_OF_AN_ACCOUNT,
        headers={**person.headers, "content-type": "image/png"},
    )
    blob: dict[str, Any] = uploaded.json()["blob"]
    for record in ({"text": "Tea in the garden"}, {"text": "A picture", "picture": blob}):
        await write_record(person, record)
    preferences = [{"$type": "app.bsky.actor.defs#adultContentPref", "enabled": False}]
    assert (await person.post("app.bsky.actor.putPreferences", {"preferences": preferences})).status_code == 200
    return blob


async def write_record(person: Person, record: dict[str, Any], collection: str = "org.example.note") -> None:
    wish = {"repo": person.did, "collection": collection, "record": {"$type": collection, **record}}
    answer = await person.post("com.atproto.repo.createRecord", wish)
    assert answer.status_code == 200, answer.text


async def find_account(deployment: Deployment, person: Person) -> Account:
    async with deployment.db.reader() as reader:
        found = await queries.find(reader, person.did)
    assert found is not None
    return found


async def save_archive(deployment: Deployment, person: Person, path: Path) -> Path:
    with path.open("wb") as file:
        async for chunk in archive.chunks(deployment.pds.registry, await find_account(deployment, person)):
            file.write(chunk)
    return path
