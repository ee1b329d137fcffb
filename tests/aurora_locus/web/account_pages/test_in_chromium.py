"""The pages in a real browser: usable on a phone and a desktop, and a recovery key that never leaves the browser."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Request

from at_network.plc_client import PlcClient
from at_protocol.crypto.did_key import format_did_key
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from programs import recovery_file
from programs.account_file import open_account_file
from programs.recovery import RecoveryContext, RecoveryTarget, move
from tests.aurora_locus.accounts.account_content import add_content, save_archive
from tests.aurora_locus.deployment import Deployment, open_deployment
from tests.aurora_locus.mailbox import newest_token
from tests.browser.accessibility import complaints
from tests.browser.browsers import DESK, PHONE, browser, chromium_of_file, sideways, small_targets
from tests.databases import MakeDatabase
from tests.external_dependencies import needs

__all__ = ["browser", "chromium_of_file"]

pytestmark = needs("chromium")

PATHS = (
    "/account",
    "/account/handle",
    "/account/email",
    "/account/password",
    "/account/sessions",
    "/account/apps",
    "/account/app-passwords",
    "/account/records",
    "/account/export",
    "/account/recovery-key",
    "/account/move",
    "/account/deactivate",
    "/account/delete",
)


async def signed_in(browser: Browser, deployment: Deployment, **options: Any) -> Page:
    context = await browser.new_context(base_url=deployment.url, locale="en-GB", **options)
    context.set_default_timeout(10_000)
    page = await context.new_page()
    await page.goto("/sign-in")
    await page.get_by_label("Name or e-mail address").fill("ada.test")
    await page.get_by_label("Password", exact=True).fill("password of ada")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.get_by_role("heading", level=1, name="@ada.test").wait_for()
    return page


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESK, "dark")], ids=["phone, light", "desk, dark"])
async def test_pages_are_usable(
    make_sqlite: MakeDatabase, clock: Any, tmp_path: Path, browser: Browser, size: Any, scheme: Any
) -> None:
    found: list[str] = []
    async with open_deployment(
        f"sqlite://{tmp_path / 'pds.db'}", await make_sqlite("plc_directory"), clock, tmp_path
    ) as deployment:
        app = await deployment.sign_up("ada")
        await add_content(deployment, app)
        page = await signed_in(browser, deployment, viewport=size, color_scheme=scheme)
        page.on("console", lambda said: found.append(f"console: {said.text}"))
        page.on("pageerror", lambda error: found.append(f"script: {error}"))
        records = await app.get("com.atproto.repo.listRecords", repo=app.did, collection="org.example.note")
        one = records.json()["records"][0]["uri"].removeprefix(f"at://{app.did}/")
        for path in (*PATHS, f"/account/records/{one}", "made app password", "made key", "wrong name"):
            match path:
                case "made app password":
                    await page.goto("/account/app-passwords")
                    await page.get_by_label("What’s it for?").fill("Phone")
                    await page.get_by_role("button", name="Create a password").click()
                    await page.get_by_role("heading", name="The password for Phone").wait_for()
                case "made key":
                    await page.goto("/account/recovery-key")
                    await page.get_by_role("button", name="Create a key").click()
                    await page.get_by_role("heading", name="Your private key").wait_for()
                    await page.get_by_label("I’ve put the private key").check()
                case "wrong name":
                    await page.goto("/account/handle")
                    await page.get_by_role("textbox", name="Name", exact=True).fill("a")
                    await page.get_by_role("button", name="Use this name").click()
                    await page.get_by_role("heading", name="One thing needs your attention").wait_for()
                    found[:] = [line for line in found if "status of 400" not in line]
                case _:
                    await page.goto(path)
            found += [f"{path}: {await sideways(page)} px sideways"] if await sideways(page) > 0 else []
            found += [f"{path}: small target {target}" for target in await small_targets(page)]
            found += [f"{path}: {one}" for one in await complaints(page)]
        await page.context.close()
    assert found == []


async def test_account_menu_works_by_keyboard_and_without_scripts(
    make_sqlite: MakeDatabase, clock: Any, tmp_path: Path, browser: Browser
) -> None:
    """The menu behind the picture works by keyboard and without scripts: it opens and closes, names the account, and
    signs it out.
    """
    async with open_deployment(
        f"sqlite://{tmp_path / 'pds.db'}", await make_sqlite("plc_directory"), clock, tmp_path
    ) as deployment:
        await deployment.sign_up("ada")
        page = await signed_in(browser, deployment, viewport=PHONE, java_script_enabled=False)
        face = page.get_by_role("button", name="Your account, @ada.test")
        await face.focus()
        await page.keyboard.press("Enter")
        assert await page.get_by_role("link", name="Switch account").is_visible()
        await page.keyboard.press("Escape")
        assert not await page.get_by_role("link", name="Switch account").is_visible()
        await face.press("Enter")
        await page.get_by_role("button", name="Sign out").press("Enter")
        await page.get_by_text("You’re signed out.").wait_for()
        await page.context.close()


async def test_key_made_in_the_browser_moves_the_account_while_its_server_is_down(
    make_sqlite: MakeDatabase, clock: Any, tmp_path: Path, browser: Browser
) -> None:
    """A key made in the browser moves the account while its server is off, with the saved file and the archive. No
    request contains the private key.
    """
    plc = await make_sqlite("plc_directory")
    sent: list[Request] = []
    key_file = tmp_path / "key.txt"
    async with open_deployment(f"sqlite://{tmp_path / 'old.db'}", plc, clock, tmp_path / "old") as old:
        ada = await old.sign_up("ada")
        await add_content(old, ada)
        page = await signed_in(browser, old, viewport=PHONE, accept_downloads=True)
        page.context.on("request", lambda one: sent.append(one))  # noqa: PLW0108 - it takes no methods of built-in types
        await page.goto("/account/recovery-key")
        assert await page.get_by_text("Only this server can move your account").is_visible()
        await page.get_by_role("button", name="Send me a code").click()
        await page.get_by_text("An e-mail with a code is on its way").wait_for()
        await page.get_by_role("button", name="Create a key").click()
        private = await page.locator("[data-private]").inner_text()
        public = await page.get_by_label("Public key").input_value()

        # A key that was not saved is not registered.
        await page.get_by_role("textbox", name="Code").fill(await newest_token(old, "ada@example.org"))
        await page.get_by_role("button", name="Change the keys").click()
        await page.get_by_text("Save the private key first").wait_for()
        async with page.expect_download() as coming:
            await page.get_by_role("link", name="Save as a file").click()
        download = await coming.value
        assert download.suggested_filename == "recovery-key-ada.test.txt"
        await download.save_as(key_file)
        await page.get_by_label("I’ve put the private key").check()
        await page.get_by_role("button", name="Change the keys").click()
        await page.get_by_text("Your identity’s keys have been changed").wait_for()
        await page.get_by_text("Technical details").click()
        assert await page.locator(".keys code").all_inner_texts() == [
            public,
            format_did_key(old.pds.registry.rotation_key.public),
        ]
        assert await page.get_by_text(private).count() == 0

        bodies = [f"{one.url} {one.headers} {one.post_data or ''}" for one in sent]
        assert any(public.replace(":", "%3A") in body for body in bodies)
        assert not [body for body in bodies if private in body or private[6:40] in body]
        keys = (await old.directory.log(ada.did))[-1]["rotationKeys"]
        assert keys == [public, format_did_key(old.pds.registry.rotation_key.public)]
        kept = recovery_file.read(key_file)
        assert (kept.identity, format_did_key(kept.key.public)) == (ada.did, public)
        path = await save_archive(old, ada, tmp_path / "ada.zip")
        await page.context.close()

    changes = {"hostname": "new.localhost", "service_handle_domains": (".new.test",)}
    async with open_deployment(f"sqlite://{tmp_path / 'new.db'}", plc, clock, tmp_path / "new", **changes) as new:
        http = HttpClient(DEVELOPMENT)
        try:
            means = RecoveryContext(http, clock, PlcClient(http, new.directory.url), ada.did, kept.key)
            wanted = RecoveryTarget(new.url, "ada.new.test", "ada@example.org", "another password")
            with open_account_file(path) as file:
                status = await move(means, wanted, file, lambda _line: None)
        finally:
            await http.close()
        assert (status["activated"], status["validDid"], status["indexedRecords"]) == (True, True, 2)
        newest = (await new.directory.log(ada.did))[-1]
        assert newest["rotationKeys"][0] == public
        assert newest["services"]["atproto_pds"]["endpoint"] == new.settings.url
    await asyncio.sleep(0)  # Chromium's connections close a moment after the server has released them


async def test_without_scripts_the_page_explains_how_to_make_a_key(
    make_sqlite: MakeDatabase, clock: Any, tmp_path: Path, browser: Browser
) -> None:
    async with open_deployment(
        f"sqlite://{tmp_path / 'pds.db'}", await make_sqlite("plc_directory"), clock, tmp_path
    ) as deployment:
        await deployment.sign_up("ada")
        page = await signed_in(browser, deployment, java_script_enabled=False)
        await page.goto("/account/recovery-key")
        assert await page.get_by_text("openmeet pds recovery-key FILE").is_visible()
        assert not await page.get_by_role("button", name="Create a key").is_visible()
        await page.get_by_role("button", name="Send me a code").click()
        await page.get_by_label("Public key").fill("z42tmine")
        await page.get_by_role("button", name="Change the keys").click()
        assert await page.get_by_text("looks like a private key").first.is_visible()
        await page.context.close()
