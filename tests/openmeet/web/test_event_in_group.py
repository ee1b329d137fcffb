"""What an event's page shows about its group to different viewers."""

import pytest

from openmeet.domain.events import actions, group_of_event
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import details, person, sign_up, site_on


@pytest.mark.parametrize(("visibility", "is_named"), [("public", True), ("private", False)])
async def test_a_group_is_named_only_to_people_who_see_it(make_sqlite, clock, visibility, is_named):
    """The page of an event in a public group names the group. For strangers an event in a private group does not exist,
    and neither does the group's name.
    """
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, visibility=visibility)
        event = await actions.create(tx, ana, details(), group=group_of_event.as_group_of_event(group))
    async with site.browser() as browser:
        await sign_up(browser, "ben@example.org", "Ben")
        shown = await browser.get(f"/events/{event.slug}")
        assert (shown.status_code == 200) is is_named
        assert ("Chess club</a>" in shown.text) is is_named
