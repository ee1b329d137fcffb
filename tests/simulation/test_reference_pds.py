"""The reference PDS runs in tests: it starts, creates an account, writes a record, and is the same after a restart."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientSession

from tests.external_dependencies import needs
from tests.simulation.processes import Program, free_port
from tests.simulation.reference_pds import ReferencePds

pytestmark = needs("reference")


@pytest.fixture
async def plc_url(tmp_path: Path) -> AsyncIterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"PLC_PORT": str(port), "PLC_DATA_DIRECTORY": str(tmp_path / "plc"), "PLC_HOURLY_LIMIT": "0"}
    plc = Program("plc", settings, tmp_path / "plc.log", f"{url}/_health")
    await plc.start()
    yield url
    assert await plc.stop() == 0


async def test_account_record_mail_and_restart(plc_url: str, tmp_path: Path) -> None:
    """An account created on it has a document in our directory, and still exists after a restart."""
    reference = ReferencePds(tmp_path / "reference", plc_url)
    await reference.start()
    try:
        ana = await reference.sign_up("ana")
        record = {"$type": "org.example.note", "text": "héllo"}
        wish = {"repo": ana["did"], "collection": "org.example.note", "record": record}
        written = await reference.call("com.atproto.repo.createRecord", wish, token=ana["accessJwt"])
        await reference.call("com.atproto.server.requestPasswordReset", {"email": "ana@example.org"})
        await reference.stop()
        await reference.start()
        rkey = written["uri"].rsplit("/", 1)[1]
        read = await reference.read(
            "com.atproto.repo.getRecord", repo=ana["did"], collection="org.example.note", rkey=rkey
        )
    finally:
        await reference.stop()
    assert msgspec.json.decode(read)["value"] == record
    assert [mail["to"] for mail in reference.mails()] == [["ana@example.org"]]
    async with ClientSession() as http, http.get(f"{plc_url}/{ana['did']}") as answer:
        document = await answer.json(content_type=None)
    assert document["service"][0]["serviceEndpoint"] == reference.url
