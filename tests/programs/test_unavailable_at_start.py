"""Programs whose optional services are unavailable at the start say what to check, and start anyway."""

import re
from pathlib import Path

from tests.simulation.processes import Program, free_port


def environment_of(folder: Path, port: int) -> dict[str, str]:
    return {
        "OPENMEET_DATA_DIRECTORY": str(folder / "openmeet"),
        "OPENMEET_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "OPENMEET_PORT": str(port),
        "OPENMEET_PDS_URL": "http://127.0.0.1:1",
        "OPENMEET_PLC_URL": "http://127.0.0.1:1",
        "OPENMEET_DEV_MODE": "true",
        "OPENMEET_CACHE_URL": "redis://:s3cret@127.0.0.1:1/0",
        "OPENMEET_BLOBS": "s3://pictures",
        "OPENMEET_BLOBS_ENDPOINT": "http://127.0.0.1:1",
        "OPENMEET_MAIL_URL": "smtp://site:s3cret@127.0.0.1:1",
    }


async def test_web_names_redis_and_the_bucket(tmp_path: Path) -> None:
    port = free_port()
    program = Program(
        "web", environment_of(tmp_path, port), tmp_path / "web.log", f"http://127.0.0.1:{port}/health/ready"
    )
    await program.start()
    try:
        assert "OPENMEET_CACHE_URL" in await program.heard(re.compile(r"(.*cache\.unreachable.*)"))
        assert "OPENMEET_BLOBS" in await program.heard(re.compile(r"(.*probe\.changed.*)"))
        assert "s3cret" not in program.said()
    finally:
        assert await program.stop() == 0


async def test_publisher_names_the_mail_server(tmp_path: Path) -> None:
    program = Program("publisher", environment_of(tmp_path, free_port()), tmp_path / "publisher.log")
    await program.start()
    try:
        assert "OPENMEET_MAIL_URL" in await program.heard(re.compile(r"(.*mail\.check_failed.*)"))
        assert "s3cret" not in program.said()
    finally:
        assert await program.stop() == 0
