"""Steps 1 to 3: two people sign up, one of them agrees to publish, and responses are lost on the way."""

import asyncio
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from aiohttp import web

from at_protocol.identity.did_document import parse_did_document
from at_protocol.repo.proof import verify_record_proof
from at_protocol.sync import events
from at_protocol.sync.events import CommitMessage
from at_protocol.syntax.did import parse_did
from tests.simulation.visitor import Seen, Visitor
from tests.system.tour.dates import in_weeks
from tests.system.tour.narrator import Narrator
from tests.system.tour.polling import TIMEOUT_SECONDS, eventually, frames_of
from tests.system.tour.stage import Stage

EVENT = "community.lexicon.calendar.event"
RSVP = "community.lexicon.calendar.rsvp"


@dataclass
class Cast:
    """The people and things that later steps use."""

    dora: Visitor
    emil: Visitor
    event_page: str = ""
    event_uri: str = ""
    event_cid: str = ""
    dora_did: str = ""


async def sign_up(stage: Stage, tell: Narrator, visitor: Visitor, name: str) -> None:
    """Sign up by e-mail, with the code from the development mailbox."""
    address = f"{name.lower()}@example.org"
    page = await visitor.open("/sign-in")
    tell.sent("sign-in form", {"identifier": address})
    page = await visitor.submit(page, "/sign-in", identifier=address)

    async def code() -> str | None:
        mails = (await visitor.open("/dev/mail")).text
        found = re.search(rf"Your code: (\w{{4}} \w{{4}}) to {re.escape(address)}", mails)
        return found[1] if found else None

    digits = await eventually(code)
    page = await visitor.submit(page, "/sign-in/code", code=digits)
    page = await visitor.submit(page, "/welcome", display_name=name)
    tell.expect(f"Welcome, {name}" in page.text, f"{name} is signed in with the code from the mail", page.text)


async def create_event(visitor: Visitor, tell: Narrator, **typed: str) -> tuple[str, Seen]:
    """Create an event with the form. Returns the path of the event's page, and the page that followed the form."""
    page = await visitor.open("/events/new")
    fields = {"time_zone": "Europe/Berlin", **typed}
    tell.sent("event form", fields)
    page = await visitor.submit(page, "/events/new", **fields)
    tell.got(page.url)
    there = urlsplit(page.url)
    return (parse_qs(there.query)["next"][0] if there.path == "/settings/publishing" else there.path), page


async def answer_the_question(page: Seen, visitor: Visitor, tell: Narrator, answer: str) -> Seen:
    """Answer whether to publish, which is asked on the page of the first public event."""
    path = urlsplit(page.url).path
    if path != "/settings/publishing":
        tell.expect(page.form("/settings/publishing") is not None, "the page of the event asks whether to publish")
        page = await visitor.open(f"/settings/publishing?next={path}")
    tell.expect("anyone can read this and copies may remain" in page.text.lower(), "the question says it is public")
    tell.expect(page.form("/settings/publishing").fields["publish"] == "no", "the default is no")
    tell.sent(f"{answer}", {"publish": answer})
    return await visitor.submit(page, "/settings/publishing", publish=answer)


async def query(url: str, method: str, **parameters: str) -> Any:
    """Call an XRPC query."""
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as http:
        answer = await http.get(f"{url}/xrpc/{method}", params=parameters)
        answer.raise_for_status()
        return answer.json() if "json" in answer.headers["content-type"] else answer.content


async def is_hosted(url: str, did: str) -> bool:
    """Whether a PDS has the repository."""
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as http:
        answer = await http.get(f"{url}/xrpc/com.atproto.repo.describeRepo", params={"repo": did})
    return answer.is_success


async def exported_dids(stage: Stage) -> set[str]:
    """Every DID in the directory."""
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as http:
        lines = (await http.get(f"{stage.plc_url}/export", params={"after": "0"})).text.splitlines()
    return {httpx.Response(200, text=line).json()["did"] for line in lines if line}


async def steps(stage: Stage, tell: Narrator) -> Cast:
    """Run the first three steps."""
    cast = Cast(Visitor(stage.openmeet_url), Visitor(stage.openmeet_url))

    tell.step(1, "Two people sign up by e-mail; the network does not know them yet")
    await sign_up(stage, tell, cast.dora, "Dora")
    await sign_up(stage, tell, cast.emil, "Emil")
    tell.expect(await exported_dids(stage) == set(), "no identity was created for them")

    tell.step(2, "Dora publishes an event, Emil does not")
    await _publishes(stage, tell, cast)
    await _does_not_publish(stage, tell, cast)

    tell.step(3, "The site recognises its own write, also when the PDS's reply is lost")
    await _loses_the_reply(stage, tell, cast)
    return cast


async def _publishes(stage: Stage, tell: Narrator, cast: Cast) -> None:
    cast.event_page, question = await create_event(
        cast.dora, tell, title="Lantern walk", starts=in_weeks(12, "18:00"), ends=in_weeks(12, "20:00"),
        venue_name="Old mill", locality="Potsdam", country="DE",
    )  # fmt: skip
    tell.expect(await exported_dids(stage) == set(), "still no identity: she has not been asked yet")
    page = await answer_the_question(question, cast.dora, tell, "yes")
    tell.expect(urlsplit(page.url).path == cast.event_page, "after the answer she is on her event's page")

    async def made() -> str | None:
        # The directory has the identity a moment before the PDS has the repository.
        did = next(iter(await exported_dids(stage)), None)
        return did if did is not None and await is_hosted(stage.pds_url, did) else None

    cast.dora_did = await eventually(made)
    tell.expect(True, f"her repository is created only after she agrees: {cast.dora_did}")

    async def published() -> Any:
        listed = await query(stage.pds_url, "com.atproto.repo.listRecords", repo=cast.dora_did, collection=EVENT)
        return listed["records"][0] if listed["records"] else None

    record = await eventually(published)
    cast.event_uri, cast.event_cid = record["uri"], record["cid"]
    rkey = cast.event_uri.rsplit("/", 1)[1]
    read = await query(stage.pds_url, "com.atproto.repo.getRecord", repo=cast.dora_did, collection=EVENT, rkey=rkey)
    tell.got(read)
    tell.expect(read["value"]["name"] == "Lantern walk", "the record is read back with getRecord")
    proof = await query(stage.pds_url, "com.atproto.sync.getRecord", did=cast.dora_did, collection=EVENT, rkey=rkey)
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as http:
        document = parse_did_document(
            (await http.get(f"{stage.plc_url}/{cast.dora_did}")).json(), parse_did(cast.dora_did)
        )
    assert document.signing_key is not None
    proven = verify_record_proof(proof, did=document.did, key=document.signing_key, path=f"{EVENT}/{rkey}")
    tell.expect(
        str(proven.cid) == cast.event_cid, f"the CAR from sync.getRecord ({len(proof)} bytes) proves {cast.event_cid}"
    )


async def _does_not_publish(stage: Stage, tell: Narrator, cast: Cast) -> None:
    path, question = await create_event(
        cast.emil,
        tell,
        title="Repair café",
        starts=in_weeks(13, "14:00"),
        ends=in_weeks(13, "17:00"),
        venue_name="Workshop",
    )
    await answer_the_question(question, cast.emil, tell, "no")
    home = await cast.emil.open("/")
    tell.expect("Repair café" in home.text, "Emil's event is listed on OpenMeet")

    async def said() -> bool:
        return "Only here" in (await cast.emil.open(path)).text

    tell.expect(await eventually(said), "and its page says “Only here”")
    await asyncio.sleep(1.5)  # longer than the pause of the publisher, so it could have published
    tell.expect(await exported_dids(stage) == {cast.dora_did}, "no account and no PLC operation for him")
    names = [
        op.path
        for frame in await frames_of(stage.pds_url)
        if isinstance(message := events.read(frame), CommitMessage)
        for op in message.operations
    ]
    tell.expect(len(names) == 1, "one record on the firehose, and it is not his", names)


async def _loses_the_reply(stage: Stage, tell: Narrator, cast: Cast) -> None:
    async def is_synced() -> str | None:
        text = (await cast.dora.open(cast.event_page)).text
        return text if "Synced" in text else None

    tell.expect(await eventually(is_synced), "her page says “Synced”")

    def everything_from_the_first_write_on(request: web.Request) -> bool:
        # Responses to reads are lost, too. Otherwise reading the record back, instead of the firehose, might complete the
        # publication.
        is_write = request.method == "POST" and request.path.startswith("/xrpc/com.atproto.repo.")
        return is_write or stage.proxy.lost > 0

    stage.proxy.loses = everything_from_the_first_write_on
    page = await cast.dora.open(f"{cast.event_page}/edit")
    tell.sent("the title, edited, while a proxy drops every reply of the PDS")
    await cast.dora.submit(page, "/edit", title="Lantern walk with stories")

    async def lost() -> bool:
        return stage.proxy.lost > 0

    await eventually(lost)
    tell.got(f"{stage.proxy.lost} reply lost; the PDS has acted on the request")
    tell.expect(
        await eventually(is_synced), "while nothing else gets through, by the firehose alone, the page says “Synced”"
    )
    stage.proxy.loses = lambda _request: False
    rkey = cast.event_uri.rsplit("/", 1)[1]
    read = await query(stage.pds_url, "com.atproto.repo.getRecord", repo=cast.dora_did, collection=EVENT, rkey=rkey)
    tell.expect(read["value"]["name"] == "Lantern walk with stories", "the PDS has the edited record")
    cast.event_cid = read["cid"]
