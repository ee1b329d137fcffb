"""Every page of groups at phone and desk width, one colour scheme each: fit to be used, as ``test_every_page`` asks of all."""

import pytest
from axe_playwright_python.async_playwright import Axe

from groundwork.database.transaction import Transaction
from openmeet.events import actions as events
from openmeet.events.grouping import of_event
from openmeet.groups import actions, announcements, running, succession
from openmeet.groups.model import Role
from openmeet.groups.rules import token_of
from openmeet.sign_in import actions as sign_in
from openmeet.sign_in.model import SessionKind
from openmeet.users.model import Caller
from tests.openmeet.groups.people import group_by, member
from tests.openmeet.site_under_test import CODE_KEY, details, person
from tests.pages.browsers import DESK, PHONE, context, sideways, small_targets
from tests.parts import needs

pytestmark = needs("chromium")

LONG = "Friends of the Donaudampfschifffahrtsgesellschaftskapitänsmützensammlung"


async def furnished(tx: Transaction, ana: Caller) -> dict[str, str]:
    """A group with something on each of its pages, and an empty one."""
    group = await group_by(
        tx,
        ana,
        name=LONG,
        description="We meet every Tuesday.\n\n- Bring a *cap*.\n- Or two.",
        join_policy="request",
        join_question="Which cap is your favourite, and why?",
        country="Germany",
    )
    ben = await member(tx, group, ana, "Ben", Role.ADMIN)
    await member(tx, group, ana, "Cleopatra Montgomery-Featherstonehaugh", Role.MODERATOR)
    troll = await member(tx, group, ana, "Troll")
    await running.ban(tx, ana, group.slug, troll.user_id)
    for name, why in (("Dan", "The blue one, because it is the captain's own. " * 4), ("Eve", "All of them.")):
        await actions.join(tx, await person(tx, name), group.slug, why)
    for title, day in (("Caps of the coast", "2026-03-10"), ("A long evening about anchors and caps", "2026-03-10")):
        said = details(title=title, starts=f"{day}T18:00", ends=f"{day}T20:00")
        await events.create(tx, ben, said, group=of_event(group))
    await events.create(tx, ana, details(title="For us", visibility="private"), group=of_event(group))
    await announcements.announce(tx, ana, group.slug, "Next week we meet at the **harbour**.\n\nBring a lamp.")
    link = await running.invite_by_link(tx, ana, group.slug, uses=20)
    await running.invite_by_mail(tx, ana, group.slug, "somebody.with.a.very.long.address@subdomain.example.org")
    await running.follow(tx, ana, group.slug, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
    await succession.offer(tx, ana, group.slug, ben.user_id)
    empty = await group_by(tx, ana, name="Quiet readers", visibility="private")
    offered = await group_by(tx, ben, name="Chess club")
    await actions.join(tx, ana, offered.slug)
    await succession.offer(tx, ben, offered.slug, ana.user_id)
    path = f"/groups/{group.slug}"
    return {
        "groups": "/groups",
        "my groups": "/groups?which=mine",
        "no such group": "/groups?q=zzz",
        "new group": "/groups/new",
        "group": path,
        "empty group": f"/groups/{empty.slug}",
        "events": f"{path}/events",
        "month": f"{path}/events?view=month&month=2026-03",
        "past": f"{path}/events?view=past",
        "members": f"{path}/members",
        "banned": f"{path}/members?which=banned",
        "requests": f"{path}/requests",
        "no requests": f"/groups/{empty.slug}/requests",
        "invitations": f"{path}/invitations",
        "door": f"/groups/invitations/{token_of(CODE_KEY, link.id)}",
        "settings": f"{path}/settings",
        "follows": f"{path}/follows",
        "ownership": f"{path}/ownership",
        "offered": f"/groups/{offered.slug}/ownership",
        "log": f"{path}/log",
        "delete": f"{path}/delete",
    }


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESK, "dark")])
async def test_pages_of_groups_are_fit_to_be_used(browser, openmeet, size, scheme):
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana Lindqvist")
        paths = await furnished(tx, ana)
        session = await sign_in.open_session(tx, ana.user_id, SessionKind.BROWSER)
    found = []
    async with context(browser, openmeet, viewport=size, color_scheme=scheme) as opened:
        page = await opened.new_page()
        page.on("console", lambda said: found.append(f"console: {said.text}"))
        page.on("pageerror", lambda error: found.append(f"script: {error}"))
        for signed_in in (False, True):
            if signed_in:
                await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
            for name, path in paths.items():
                if not signed_in and name not in {"groups", "group", "month", "door"}:
                    continue
                answer = await page.goto(path)
                found += [f"{name}: {answer.status}"] if answer is None or answer.status != 200 else []
                found += [f"{name}: {await sideways(page)} px sideways"] if await sideways(page) > 0 else []
                found += [f"{name}: small target {target}" for target in await small_targets(page)]
                result = await Axe().run(page)
                found += [f"{name}: {one['id']}: {one['nodes'][0]['html']}" for one in result.response["violations"]]
    assert found == []
