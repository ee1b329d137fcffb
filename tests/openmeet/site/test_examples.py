"""The examples of the OpenAPI document are the first requests that people send: none of them is refused because of its
content.
"""

import re

import pytest

from groundwork.clock import DAY
from openmeet.routes import operations
from openmeet.web.api.examples import example_of
from tests.openmeet.site_under_test import api_session, site_on

# Examples cannot contain a code that was e-mailed or printed, or a picture as the body.
NOT_OF_AN_EXAMPLE = frozenset({"openSession", "openSessionWithPassword", "checkIn", "putEventPicture"})


@pytest.fixture
async def site(make_sqlite, clock):
    # Examples use dates in the spring of 2027, which must be in the future, but not too far.
    clock.turn(300 * DAY)
    return site_on(await make_sqlite("openmeet"), clock)


async def test_no_example_is_refused_for_its_content(site):
    """The host of an event, a series and a group sends the examples. A request may be refused because of their state,
    but not because of the example's content.
    """
    refused = []
    async with site.browser() as client:
        headers = await api_session(client, "ana@example.org", "Ana")
        slugs = {}
        for area in ("events", "series", "groups"):
            (make,) = (one for one in operations() if (one.method, one.path) == ("POST", f"/api/{area}"))
            ungrouped = {name: value for name, value in example_of(make.body).items() if name != "group"}
            made = await client.post(make.path, json=ungrouped, headers=headers)
            assert made.status_code == 201, made.text
            slugs[area] = made.json()["slug"]
        for one in operations():
            if one.body is None or one.name in NOT_OF_AN_EXAMPLE:
                continue
            slug = slugs.get(one.path.split("/")[2], "")
            known = one.path.replace("{slug}", slug) if slug else one.path
            path = re.sub(r"\{(\w+)\}", lambda name: str(example_of(str, name[1])), known)
            said = example_of(one.body)
            if one.name == "saveEvent":
                # An event stays in its group, and this event is in no group.
                del said["group"]
            answer = await client.request(one.method, path, json=said, headers=headers)
            if answer.status_code in {400, 500}:
                refused.append(f"{one.name}: {answer.status_code} {answer.text}")
    assert not refused, "\n".join(refused)
