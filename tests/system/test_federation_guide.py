"""``docs/federation.md`` followed literally, against a server with the settings that it shows."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.external_dependencies import ROOT, needs
from tests.simulation.processes import OPENMEET, Program, free_port

GUIDE = (ROOT / "docs" / "federation.md").read_text(encoding="utf-8")
(SETTINGS,) = re.findall(r"```ini\n(.*?)```", GUIDE, re.DOTALL)
COMMANDS = "\n".join(re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL))


@pytest.fixture
async def places(tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """The names in the guide, replaced by a directory and a PDS on this machine."""
    plc_port, pds_port = free_port(), free_port()
    plc_url = f"http://127.0.0.1:{plc_port}"
    plc = Program(
        "plc",
        {"PLC_PORT": str(plc_port), "PLC_DATA_DIRECTORY": str(tmp_path / "plc")},
        tmp_path / "plc.log",
        f"{plc_url}/_health",
    )
    settings = dict(line.split("=", 1) for line in SETTINGS.splitlines() if line)
    here = {
        "PDS_HOSTNAME": "localhost",
        "PDS_PUBLIC_URL": f"https://localhost:{pds_port}",
        "PDS_DATA_DIRECTORY": str(tmp_path / "pds"),
        "PDS_DID_PLC_URL": plc_url,
        # A test must not ask real relays to read its server.
        "PDS_FEDERATION_RELAY_URLS": "http://127.0.0.1:1",
    }
    assert here.keys() <= settings.keys()
    pds_url = f"http://127.0.0.1:{pds_port}"
    pds = Program(
        "pds", {**settings, **here, "PDS_PORT": str(pds_port)}, tmp_path / "pds.log", f"{pds_url}/xrpc/_health"
    )
    try:
        await plc.start()
        await pds.start()
        yield {"PDS=https://pds.example.org": f"PDS={pds_url}", "PLC=https://plc.directory": f"PLC={plc_url}"}
    finally:
        await pds.stop()
        await plc.stop()


@needs("curl")
async def test_every_command_of_the_guide_works(places: dict[str, str], tmp_path: Path) -> None:
    script = COMMANDS
    for printed, here in places.items():
        assert script.count(printed) == 1
        script = script.replace(printed, here)
    path = f"{Path(OPENMEET).parent}:{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euxo",
        "pipefail",
        "-c",
        script,
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 90)
    output = said.decode()
    assert process.returncode == 0, output
    did = re.search(r"DID=(did:plc:[a-z2-7]{24})", output)
    assert did is not None, output
    assert f'"did":"{did[1]}"' in output.replace(" ", ""), "the handle resolves to the DID"
    assert f"identity  {did[1]}" in re.sub(r" +", "  ", output), "the account was announced"
    assert "records    1 in 1 collection\n" in output
    assert "ana.car: good" in output
