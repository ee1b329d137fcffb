"""The log of a group, as its organisers read it."""

import re

from openmeet.domain.groups import audit_log
from openmeet.domain.groups.model import GroupLogAction, GroupRole
from openmeet.domain.users.model import UserId
from tests.openmeet.site_under_test import sign_up, site_on
from tests.openmeet.web.group_pages import create_group, group_at, press_button, text_of, user_id

OF_OWNERSHIP = {
    GroupLogAction.HANDED_OVER,
    GroupLogAction.TAKEN_OVER,
    GroupLogAction.TAKEN_BACK,
    GroupLogAction.PASSED_ON,
}


async def test_people_who_joined_on_one_day_share_a_row(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        path = await create_group(ana)
        for name in ("Ben", "Dan"):
            async with site.browser() as browser:
                await sign_up(browser, f"{name.lower()}@example.org", name)
                await press_button(browser, f"{path}/join")
        rows = re.findall(
            r'<li><(?:img|span) class="avatar.*?(?:</details>|</div>)', await text_of(ana, f"{path}/log"), re.DOTALL
        )
    joined, created = (" ".join(re.sub(r"<[^>]+>", " ", one).split()) for one in rows)
    assert "2 people joined" in joined
    assert joined.index("Dan") < joined.index("Ben")
    assert "Ana created the group" in created
    assert "2026" not in joined + created


async def test_every_action_has_a_sentence(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.browser() as ana, site.browser() as ben:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Ben")
        path = await create_group(ana)
        group = await group_at(site, path)
        them = UserId(await user_id(site, "ben@example.org"))
        notes = {
            GroupLogAction.INVITED: "3",
            GroupLogAction.ACCOUNT_OPENED: "chess.example.org",
            GroupLogAction.DID_FOLLOWED: "did:plc:abc",
        }
        async with site.db.transaction() as tx:
            former = group.owner_id
            await audit_log.add(tx, group.id, former, GroupLogAction.HANDED_OVER, by=them, after=GroupRole.ADMIN)
            for act in GroupLogAction:
                after = GroupRole.OWNER if act in OF_OWNERSHIP else GroupRole.MODERATOR
                note = notes.get(act, "")
                await audit_log.add(tx, group.id, them, act, by=group.owner_id, after=after, note=note)
                await audit_log.add(tx, group.id, them, act, by=them, after=after, note=note)
        texts = {" ".join(re.sub(r"<[^>]+>", " ", one).split()) for one in await _rows(ana, f"{path}/log")}
    for words in (
        "Ana handed the group over to Ben",
        "Ben became the owner of the group",
        "Ben made Ana an admin",
        "Ana invited 3 people by e-mail",
        "Ana gave the group its own account, @chess.example.org",
        "Ana created a new link for the group",
        "Ben declined to own the group",
        "Ben no longer asks to take the group over",
        "Ana stopped Ben from taking over",
    ):
        assert any(one.startswith(words) or f" {words} " in f" {one} " for one in texts), (words, sorted(texts))


async def _rows(browser, path: str) -> list[str]:
    """The rows of all pages of the log."""
    rows = []
    while path:
        shown = await text_of(browser, path)
        rows += re.findall(r"<li><(?:img|span) class=\"avatar.*?(?:</details>|</div>)", shown, re.DOTALL)
        older = re.search(r'<p class="more"><a class="button quiet" href="([^"]+)"', shown)
        path = older[1].replace("&amp;", "&") if older else ""
    return rows
