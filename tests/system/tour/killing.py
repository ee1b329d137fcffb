"""Step 7: ``kill -9`` in the middle of many writes. No acknowledged write is missing, and none takes effect twice."""

import asyncio
import sys
from pathlib import Path

import httpx
import libipld

from tests.system.tour.narrator import Narrator
from tests.system.tour.people import EVENT, Cast, query
from tests.system.tour.polling import TIMEOUT_SECONDS, eventually
from tests.system.tour.stage import Stage

# No more than a new account may publish in an hour (the intake policy).
WRITES = 25
KILL_AFTER = 10


async def steps(stage: Stage, tell: Narrator, _cast: Cast) -> None:
    """Write from another process, kill the PDS, restart it, and compare with what another library reads."""
    tell.step(7, f"The second PDS is killed with kill -9 in the middle of {WRITES} writes")
    body = {"handle": "gero.second.test", "email": "gero@example.test", "password": "writes a lot"}
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as http:
        made = await http.post(f"{stage.second_pds_url}/xrpc/com.atproto.server.createAccount", json=body)
    made.raise_for_status()
    did, token = made.json()["did"], made.json()["accessJwt"]

    log = stage.folder / "acknowledged.txt"
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.system.tour.write_events", stage.second_pds_url, did, token, str(WRITES), str(log)
    )
    tell.sent(f"{WRITES} createRecord calls by another process, which logs each acknowledgement")

    async def enough() -> bool:
        return len(acknowledged(log)) >= KILL_AFTER

    await eventually(enough)
    await stage.second_pds.kill()
    tell.got(f"killed after {len(acknowledged(log))} acknowledgements")
    await stage.second_pds.start()
    tell.expect(await writer.wait() == 0, "started again; the writer went on and finished")

    acknowledged_uris = acknowledged(log)
    car = await query(stage.second_pds_url, "com.atproto.sync.getRepo", did=did)
    _, blocks = libipld.decode_car(car)
    held = {str(libipld.encode_cid(cid)) for cid in blocks}
    tell.got(f"{len(acknowledged_uris)} acknowledged; {len(blocks)} blocks in the CAR, read by libipld")
    missing = [uri for uri, cid in acknowledged_uris.items() if cid not in held]
    tell.expect(not missing, "no acknowledged write is missing", missing)

    stored = await _all_records(stage.second_pds_url, did)
    tell.expect(acknowledged_uris.items() <= stored.items(), f"the repository lists them all ({len(stored)} records)")

    async def same() -> bool:
        return await _events_here(stage, did) == sorted(stored)

    tell.expect(
        await eventually(same, 180),
        f"OpenMeet went on from its cursor: exactly {len(stored)} events, none missing, none twice",
    )


def acknowledged(log: Path) -> dict[str, str]:
    """URI → CID of every write that got a response."""
    if not log.exists():
        return {}
    lines = [line.split() for line in log.read_text().splitlines()]
    return {line[0]: line[1] for line in lines if len(line) == 2}


async def _all_records(url: str, did: str) -> dict[str, str]:
    found: dict[str, str] = {}
    cursor = ""
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = await query(url, "com.atproto.repo.listRecords", repo=did, collection=EVENT, limit="100", **more)
        found |= {record["uri"]: record["cid"] for record in page["records"]}
        cursor = page.get("cursor", "")
        if not cursor:
            return found


async def _events_here(stage: Stage, did: str) -> list[str]:
    """The URIs of this author's events as OpenMeet lists them, including duplicates, if there are any."""
    found: list[str] = []
    cursor: str | None = None
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as http:
        while True:
            parameters = {"q": "Kill test", "limit": "100"} | ({"cursor": cursor} if cursor else {})
            page = (await http.get(f"{stage.openmeet_url}/api/events", params=parameters)).json()
            found += [event["recordUri"] for event in page["events"] if did in event["recordUri"]]
            cursor = page.get("cursor")
            if not cursor:
                return sorted(found)
