"""``openmeet pds`` as operators start it."""

import re
from pathlib import Path

import httpx
import pytest
from tests.world.processes import DidNotStart, Program


async def test_free_port_is_part_of_the_public_address(tmp_path: Path) -> None:
    """With port 0 others would be told an address that nobody listens at."""
    environment = {"PDS_DEV_MODE": "true", "PDS_PORT": "0", "PDS_DATA_DIRECTORY": str(tmp_path / "pds")}
    program = Program("pds", environment, tmp_path / "pds.log")
    await program.start()
    try:
        url = await program.heard(re.compile(r"answers at (http://localhost:[1-9][0-9]*) "))
        async with httpx.AsyncClient(trust_env=False) as http:
            document = (await http.get(f"{url}/.well-known/did.json")).json()
        assert document["service"][0]["serviceEndpoint"] == url
    finally:
        assert await program.stop() == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"PDS_JWT_SECRET": "short"}, "PDS_JWT_SECRET is too short"),
        ({"PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX": "zz"}, "is not a private key"),
        ({"PDS_SEALING_KEYS": "!"}, "PDS_SEALING_KEYS"),
        ({"PDS_PORT": "many"}, "PDS_PORT"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_settings_that_cannot_be_used_are_told(tmp_path: Path, change: dict[str, str], sentence: str) -> None:
    environment = {"PDS_DEV_MODE": "true", "PDS_DATA_DIRECTORY": str(tmp_path / "pds"), **change}
    program = Program("pds", environment, tmp_path / "pds.log", "http://localhost:1/")
    with pytest.raises(DidNotStart, match=sentence) as caught:
        await program.start()
    assert "exit 1" in str(caught.value)
    assert "Traceback" not in str(caught.value)
