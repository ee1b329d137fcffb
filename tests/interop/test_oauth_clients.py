"""Third-party OAuth clients and our examples are authorized by a person on our pages."""

import asyncio
import sys
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.external_dependencies import ROOT, needs
from tests.interop.client_programs import next_line_of, run_program
from tests.interop.conftest import NODE, Account, Network
from tests.interop.consent import allow

SCOPE = "atproto repo:org.example.note?action=create"


@needs("node")
@pytest.mark.usefixtures("node_modules")
async def test_official_client_signs_in_acts_refreshes_and_signs_out(network: Network) -> None:
    """The official client discovers the server, pushes the request, proves its key and redeems the code. Calls without
    a granted scope are refused, and after sign-out everything ends.
    """
    ana = await network.sign_up("ana-oauth")
    command = ("node", NODE / "oauth.mjs", network.pds_url, network.plc_url, ana.handle, SCOPE)
    async with run_program(*command, cwd=NODE) as process:

        async def told() -> dict[str, object]:
            return dict(msgspec.json.decode(await next_line_of(process)))

        back = await allow(str((await told())["where"]), ana.handle, ana.password)
        assert process.stdin is not None
        process.stdin.write(f"{back}\n".encode())
        assert await told() == {"did": ana.did, "state": "kept by the app"}
        acted = await told()
        assert str(acted["uri"]).startswith(f"at://{ana.did}/org.example.note/")
        assert acted["other"] == {"refused": "ScopeMissingError", "status": 403}
        assert acted["granted"] == SCOPE
        assert (await told())["refreshed"] is True
        assert "refused" in (await told())["after"]  # type: ignore[operator]


async def be_let_in(process: asyncio.subprocess.Process, ana: Account) -> list[str]:
    """Open the address that the example prints, consent, and return to it; returns the lines printed then."""
    where = (await next_line_of(process)).removeprefix("Open ")
    back = await allow(where, ana.handle, ana.password)
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(back)).text == "You can close this window.\n"
    return [await next_line_of(process), await next_line_of(process)]


async def test_python_example_writes_an_event(network: Network) -> None:
    ana = await network.sign_up("ana-oauth-py")
    command = (sys.executable, ROOT / "docs/examples/oauth_client.py", network.pds_url, ana.handle)
    async with run_program(*command) as process:
        granted, uri = await be_let_in(process, ana)
    assert granted == f"{ana.did} allows atproto repo:community.lexicon.calendar.event"
    assert uri.startswith(f"at://{ana.did}/community.lexicon.calendar.event/")


@needs("node")
async def test_example_in_typescript_works(network: Network, node_modules: Path, tmp_path: Path) -> None:
    ana = await network.sign_up("ana-oauth-ts")
    (tmp_path / "node_modules").symlink_to(node_modules)
    script = tmp_path / "oauth_client.mts"
    script.write_text((ROOT / "docs/examples/oauth_client.mts").read_text())
    program = NODE / "node_modules/tsx/dist/cli.mjs"
    command = ("node", program, script, network.pds_url, ana.handle, network.plc_url)
    async with run_program(*command, cwd=tmp_path) as process:
        granted, uri = await be_let_in(process, ana)
    assert granted == f"{ana.did} allows atproto repo:community.lexicon.calendar.event"
    assert uri.startswith(f"at://{ana.did}/community.lexicon.calendar.event/")
