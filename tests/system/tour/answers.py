"""Steps 4 and 5: answers from the web and from another person's client, one of which is withdrawn."""

from dataclasses import dataclass
from typing import Any

from atproto import Client, models

from tests.system.tour.dates import in_weeks
from tests.system.tour.narrator import Narrator
from tests.system.tour.people import EVENT, RSVP, Cast, answer_the_question, create_event, exported_dids, query
from tests.system.tour.polling import eventually
from tests.system.tour.stage import Stage


@dataclass
class Stranger:
    """A person on the second PDS who uses the public Python SDK."""

    client: Client
    did: str

    def write(self, collection: str, record: dict[str, Any], rkey: str | None = None) -> str:
        written = self.client.com.atproto.repo.create_record(
            models.ComAtprotoRepoCreateRecord.Data(repo=self.did, collection=collection, record=record, rkey=rkey)
        )
        return str(written.uri)

    def delete(self, uri: str) -> None:
        _, _, did, collection, rkey = uri.split("/")
        self.client.com.atproto.repo.delete_record(
            models.ComAtprotoRepoDeleteRecord.Data(repo=did, collection=collection, rkey=rkey)
        )


def stranger(url: str, handle: str) -> Stranger:
    """Create an account on a PDS and sign in to it, both with the SDK."""
    client = Client(base_url=f"{url}/xrpc")
    password = f"a password of {handle}"
    client.com.atproto.server.create_account(
        models.ComAtprotoServerCreateAccount.Data(
            handle=handle, email=f"{handle.split('.', maxsplit=1)[0]}@example.test", password=password
        )
    )
    client.login(handle, password, fetch_bsky_profile=False)
    return Stranger(client, str(client.com.atproto.server.get_session().did))


def rsvp_to(uri: str, cid: str) -> dict[str, Any]:
    """A record as other applications write it."""
    return {
        "$type": RSVP,
        "subject": {"uri": uri, "cid": cid},
        "status": f"{RSVP}#going",
        "createdAt": "2026-11-20T12:00:00.000Z",
    }


async def steps(stage: Stage, tell: Narrator, cast: Cast) -> Stranger:
    """Run both steps."""
    tell.step(4, "Emil answers on the web, Frida by her own PDS; both count")
    page = await cast.emil.open(cast.event_page)
    tell.sent("Going, by Emil")
    page = await cast.emil.submit(page, "/answer", button=("reply", "going"))
    tell.expect("1 going" in page.text, "the page counts him at once", page.text)
    known = await exported_dids(stage)
    await answer_the_question(await cast.emil.open("/settings/publishing"), cast.emil, tell, "yes")

    async def emils_did() -> str | None:
        return next(iter(await exported_dids(stage) - known), None)

    emil_did = await eventually(emils_did)

    async def emils_record() -> Any:
        listed = await query(stage.pds_url, "com.atproto.repo.listRecords", repo=emil_did, collection=RSVP)
        return listed["records"][0] if listed["records"] else None

    record = await eventually(emils_record)
    tell.got(record)
    tell.expect(record["value"]["subject"]["uri"] == cast.event_uri, f"his answer is in his repository, {emil_did}")

    other, _ = await create_event(
        cast.dora,
        tell,
        title="Winter picnic",
        starts=in_weeks(14, "12:00"),
        ends=in_weeks(14, "14:00"),
        venue_name="Park",
    )

    async def others_record() -> Any:
        listed = await query(stage.pds_url, "com.atproto.repo.listRecords", repo=cast.dora_did, collection=EVENT)
        return next((one for one in listed["records"] if one["value"]["name"] == "Winter picnic"), None)

    second = await eventually(others_record)
    frida = stranger(stage.second_pds_url, "frida.second.test")
    tell.sent("two RSVP records by Frida, with the public Python SDK, on the second PDS", frida.did)
    uri = frida.write(RSVP, rsvp_to(cast.event_uri, cast.event_cid))
    kept = frida.write(RSVP, rsvp_to(second["uri"], second["cid"]))
    tell.got(uri)

    async def both() -> str | None:
        text = (await cast.dora.open(cast.event_page)).text
        return text if "2 going" in text else None

    tell.expect(await eventually(both), "the page counts both; Frida is a shadow account: she never signed in here")

    tell.step(5, "Frida deletes one record; her other answer stays")
    tell.sent("deleteRecord", uri)
    frida.delete(uri)

    async def one() -> str | None:
        text = (await cast.dora.open(cast.event_page)).text
        return text if "1 going" in text else None

    tell.expect(await eventually(one), "the page counts one")
    text = (await cast.dora.open(other)).text
    tell.expect("1 going" in text, f"her answer to the other event stays ({kept})", text)
    return frida
