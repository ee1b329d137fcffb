"""Test browsers create groups and press their buttons."""

import re

import httpx

from openmeet.domain.groups import queries
from openmeet.domain.groups.model import GroupSlug
from tests.openmeet.site_under_test import inputs_of

NEW = {"name": "Chess club", "time_zone": "Europe/Berlin", "join_policy": "open", "visibility": "public"}


async def create_group(browser, **typed: str) -> str:
    """Create a group with the form. Return its path."""
    form = inputs_of((await browser.get("/groups/new")).text)
    answer = await browser.post("/groups/new", data=form | NEW | {"promotion_level": "public"} | typed)
    assert answer.status_code == 303, re.sub(r"<[^>]+>", "", answer.text)[-600:]
    return answer.headers["location"]


async def text_of(browser, path: str, status: int = 200) -> str:
    answer = await browser.get(path)
    assert answer.status_code == status, (path, answer.status_code)
    return answer.text


async def press_button(browser, path: str, **typed: str) -> httpx.Response:
    answer = await browser.post(path, data=typed or {"button": ""})
    assert answer.status_code == 303, re.sub(r"<[^>]+>", "", answer.text)[-600:]
    return answer


async def user_id(site, email: str) -> str:
    async with site.db.reader() as reader:
        row = await reader.fetch_one("select id from users where email = :email", email=email)
    return row["id"]


async def group_at(site, path: str):
    async with site.db.reader() as reader:
        return await queries.by_slug(reader, GroupSlug(path.rpartition("/")[2]))
