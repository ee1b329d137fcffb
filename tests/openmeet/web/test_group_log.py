"""The log of a group, as its organisers read it."""

import re

from tests.openmeet.site_under_test import sign_up, site_on
from tests.openmeet.web.group_pages import create_group, press_button, text_of


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
