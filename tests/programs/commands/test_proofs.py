"""An operator lists the keys that sign proofs of attendance, and revokes one."""

import json
import subprocess
from pathlib import Path

from tests.fork_server import FORK_SERVER
from tests.programs.platforms import open_platform, read_platform_settings

from groundwork.clock import SystemClock
from openmeet.domain.attendance import proof_keys


def openmeet(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return FORK_SERVER.run("proofs", *arguments, environment=environment)


async def test_a_key_is_revoked_by_its_id(tmp_path: Path):
    environment = {"OPENMEET_DATA_DIRECTORY": str(tmp_path), "OPENMEET_DEV_MAILBOX": "true"}
    async with open_platform(read_platform_settings(None, environment), SystemClock()) as platform:
        assert "no key yet" in openmeet(environment, "keys").stdout
        async with platform.db.transaction() as tx:
            await proof_keys.ensure_key(tx, platform.code_key)
        (key,) = json.loads(openmeet(environment, "keys", "--json").stdout)
        assert (key["replacedOn"], key["revokedOn"]) == (None, None)
        assert openmeet(environment, "revoke-key", key["key"]).stdout == f"{key['key']} is revoked.\n"
        assert openmeet(environment, "revoke-key", key["key"]).stdout == f"{key['key']} was already revoked.\n"
        new, old = openmeet(environment, "keys").stdout.splitlines()
        assert (key["key"] in old, "revoked on" in old, new.endswith("  signs")) == (True, True, True)
        async with platform.db.reader() as reader:
            assert await proof_keys.sign(reader, platform.code_key, {})
        for unknown in ("x", "-x"):
            refused = openmeet(environment, "revoke-key", unknown)
            assert (refused.returncode, f"There is no key {unknown}" in refused.stderr) == (1, True)
