"""Pictures in a bucket, as several web processes use it, and moved there from a folder while the site is running."""

import asyncio
import base64
import io
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
from PIL import Image

from groundwork.blobstore.open_ import open_bucket
from openmeet.domain.media.pictures import FILES
from tests.s3_buckets import MakeBucket
from tests.simulation.processes import OPENMEET, Program, free_port
from tests.system.servers import running_servers

EVENT = {"title": "Tea", "startsLocal": "2037-06-01T18:00", "timeZone": "Europe/Vienna", "visibility": "public"}


def picture(color: str) -> str:
    out = io.BytesIO()
    Image.new("RGB", (800, 600), color).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


async def show_one(http: httpx.AsyncClient, color: str) -> str:
    """Create an event with a picture. Returns the path of the picture."""
    made = await http.post("/api/events", json=EVENT)
    assert made.status_code == 201, made.text
    slug = made.json()["slug"]
    put_up = await http.put(f"/api/events/{slug}/picture", json={"image": picture(color), "alt": color})
    assert put_up.is_success, put_up.text
    shown = (await http.get(f"/api/events/{slug}")).json()["picture"]
    return urlsplit(shown["url"]).path


async def looks(url: str, path: str) -> tuple[int, str]:
    """What a browser gets from this process: the status, and the colour in the middle of the picture."""
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
        answer = await http.get(path)
    if answer.status_code != 200:
        return answer.status_code, ""
    with Image.open(io.BytesIO(answer.content)) as image:
        red, _, blue = image.convert("RGB").getpixel((image.width // 2, image.height // 2))  # type: ignore[misc]  # of RGB
    return 200, "red" if red > blue else "blue"


async def test_pictures_are_moved_from_a_folder_into_a_bucket(
    tmp_path: Path, postgres_url: str, make_bucket: MakeBucket
) -> None:
    bucket = make_bucket()
    async with running_servers(tmp_path) as servers:
        await servers.account("ana")
        own: dict[str, object] = {
            "public_url": "http://127.0.0.1:8080",
            "data_directory": str(tmp_path / "openmeet"),
            "dev_mode": True,
            "dev_mailbox": True,
            "allow_private_addresses": True,
            "pds_url": servers.url,
            "plc_url": servers.plc_url,
            "database_url": postgres_url,
            "database_schema": "pictures",
            "network_database_url": postgres_url,
            "network_database_schema": "pictures_network",
            "database_connections": 2,
        }
        in_bucket = own | {
            "blobs": f"s3://{bucket.name}/pictures",
            "blobs_region": bucket.region,
            "blobs_endpoint": bucket.endpoint,
            "blobs_access_key_id": bucket.access_key_id,
            "blobs_secret_access_key": bucket.secret_access_key.reveal(),
            "blobs_force_path_style": True,
        }
        files = {name: tmp_path / f"{name}.toml" for name in ("folder", "bucket")}
        for name, settings in (("folder", own), ("bucket", in_bucket)):
            lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in settings.items()]
            files[name].write_text("\n".join(["[openmeet]", *lines, ""]))

        def web(kind: str, number: int) -> tuple[Program, str]:
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            arguments = ["--settings", str(files[kind])]
            log = tmp_path / f"web-{kind}-{number}.log"
            return Program("web", {"OPENMEET_PORT": str(port)}, log, f"{url}/health/ready", arguments), url

        async def move(*options: str) -> str:
            command = [OPENMEET, "pictures", "move", *options, "--settings", str(files["bucket"])]
            environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENMEET_")}
            done = await asyncio.to_thread(
                subprocess.run, command, capture_output=True, text=True, check=False, env=environment
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        @asynccontextmanager
        async def session(url: str) -> AsyncIterator[httpx.AsyncClient]:
            async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
                opened = await http.post("/api/session", json={"handle": "ana.test", "password": "password of ana"})
                assert opened.status_code == 201, opened.text
                http.headers["authorization"] = f"Bearer {opened.json()['token']}"
                yield http

        before, old_url = web("folder", 0)
        await before.start()
        try:
            async with session(old_url) as http:
                first = await show_one(http, "red")
                assert f"{len(FILES)} files checked: {len(FILES)} copied" in await move()
                second = await show_one(http, "blue")
        finally:
            assert await before.stop() == 0
        assert f"{2 * len(FILES)} files checked: {len(FILES)} copied" in await move("--remove")
        assert not list((tmp_path / "openmeet" / "media").rglob("pictures/*.*"))
        one, one_url = web("bucket", 1)
        other, other_url = web("bucket", 2)
        try:
            await asyncio.gather(one.start(), other.start())
            async with session(one_url) as http:
                third = await show_one(http, "red")
            for url in (one_url, other_url):
                seen = [await looks(url, path) for path in (first, second, third)]
                assert seen == [(200, "red"), (200, "blue"), (200, "red")]
            assert await looks(other_url, first.replace(first.split("/")[2], "0" * 32)) == (404, "")
        finally:
            assert [await program.stop() for program in (one, other)] == [0, 0]
        kept = [stored.key async for stored in open_bucket(bucket).list("pictures/default")]
        assert len(kept) == 3 * len(FILES)
        assert not list((tmp_path / "openmeet" / "media").rglob("pictures/*.*"))
        assert bucket.secret_access_key.reveal() not in "".join(program.said() for program in (one, other))
