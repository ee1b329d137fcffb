"""The profile picture in a person's own repository is fetched from a real PDS when they press the button, and only
then.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from groundwork.blobstore.open_ import open_folder
from groundwork.clock import HandClock
from groundwork.telemetry.metrics import Metrics
from openmeet.app import create_app
from openmeet.domain.users.model import Caller
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant
from openmeet.web.site.services import Services
from tests.openmeet.deployment import Deployment
from tests.openmeet.media.drawn_pictures import draw_bands, portrait_keys_in
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site, signed_in
from tests.worker_pool import POOL

_FETCH = "/settings/picture/from-profile"
_BUTTON = "Use my profile picture"


@asynccontextmanager
async def browser_of(deployment: Deployment, who: Caller, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    services = Services(
        Settings(public_url=ORIGIN),
        Tenant("default", deployment.db),
        CODE_KEY,
        deployment.clock,
        pictures=open_folder(folder / "media"),
        network=deployment.network,
        workers=POOL,
    )
    async with signed_in(
        Site(create_app(services, Metrics("openmeet")), deployment.db, deployment.clock), who.user_id
    ) as ana:
        yield ana


async def put_profile(deployment: Deployment, name: str, file: bytes | None, content_type: str = "image/png") -> None:
    """Write the profile as another app would."""
    client = await deployment.stranger(name)
    record: dict[str, object] = {"$type": "app.bsky.actor.profile", "displayName": "Cleo"}
    if file is not None:
        record["avatar"] = (await client.upload("com.atproto.repo.uploadBlob", file, content_type))["blob"]
    session = await client.query("com.atproto.server.getSession")
    wish = {"repo": session["did"], "collection": "app.bsky.actor.profile", "rkey": "self", "record": record}
    await client.procedure("com.atproto.repo.putRecord", wish)


async def test_nothing_is_fetched_without_the_button(deployment: Deployment, tmp_path: Path, clock: HandClock) -> None:
    """After signing in and viewing the page the person still has an initial. The button shows their profile picture."""
    cleo = await deployment.connected("cleo")
    await put_profile(deployment, "cleo", draw_bands())
    async with browser_of(deployment, cleo, tmp_path) as browser:
        before = (await browser.get("/settings/picture")).text
        assert (portrait_keys_in(before), _BUTTON in before) == (set(), True)
        pressed = await browser.post(_FETCH)
        assert (pressed.status_code, pressed.headers["location"]) == (303, "/settings/picture")
        (key,) = portrait_keys_in((await browser.get("/settings/picture")).text)
        assert (await browser.get(f"/portraits/{key}/256")).status_code == 200


@pytest.mark.parametrize(
    ("file", "status", "words"),
    [
        (None, 422, "Your profile has no picture."),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", 400, "picture-problem"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 200, 400, "picture-problem"),
    ],
    ids=["none", "svg", "broken"],
)
async def test_a_profile_without_a_usable_picture_is_explained_next_to_the_field(
    deployment: Deployment, tmp_path: Path, file: bytes | None, status: int, words: str
) -> None:
    cleo = await deployment.connected("cleo")
    await put_profile(deployment, "cleo", file)
    async with browser_of(deployment, cleo, tmp_path) as browser:
        refused = await browser.post(_FETCH)
        assert (refused.status_code, words in refused.text) == (status, True)
        assert portrait_keys_in((await browser.get("/settings/picture")).text) == set()


async def test_a_custodial_account_has_no_button(deployment: Deployment, tmp_path: Path) -> None:
    """A custodial account has only the profile that this site has written."""
    ana = await deployment.person("Ana")
    async with browser_of(deployment, ana, tmp_path) as browser:
        assert _BUTTON not in (await browser.get("/settings/picture")).text
        assert (await browser.post(_FETCH)).status_code == 404


async def test_a_server_that_is_down_is_explained(deployment: Deployment, tmp_path: Path) -> None:
    cleo = await deployment.connected("cleo")
    await deployment.pds_serving.stop()
    async with browser_of(deployment, cleo, tmp_path) as browser:
        refused = await browser.post(_FETCH)
        assert refused.status_code == 502
        assert "We couldn’t get it from your account server." in refused.text
