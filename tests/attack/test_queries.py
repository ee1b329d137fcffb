"""Hostile values in every parameter of every query for other apps are refused with the parameter's name or answered, on
both engines, and never cause a server error.
"""

import json
import random
from urllib.parse import quote

from at_protocol.lexicon.authority import own_name
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import ParamsType, QueryType
from groundwork.clock import Clock
from openmeet.web.xrpc.dispatch import QUERIES
from tests.attack.garbage import SEED, TEXTS, internals_in
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import ORIGIN, event_by, person, site_on

_CATALOG = Catalog()

# Valid base parameters, so that every parameter is checked whichever of the others is wrong.
_FITTING = {
    "uri": f"{ORIGIN}/events/tea",
    "event": f"{ORIGIN}/events/tea",
    "series": f"{ORIGIN}/series/tea",
    "group": f"{ORIGIN}/groups/tea",
    "actor": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
}
# In addition to texts that break parsers: URLs of ours with a wrong end, and dates and numbers at their limits.
_ENDS = ("%00", "%ff", "%2e%2e%2f", "a%0d%0ab", "x" * 2_000, "%F0%9F%98%80", "’")
_EDGES = (
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "2026-01-01T00:00:00+23:59",
    "9" * 19,
    "-9007199254740992",
    "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/community.lexicon.calendar.event/" + "a" * 600,
    "LTkyMjMzNzIwMzY4NTQ3NzU4MDguMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw",
)


def _values(parameter: str, chance: random.Random) -> list[str]:
    found = [*_EDGES, "\x00", "a\x00b", *chance.sample(TEXTS, 4)]
    if parameter in {"uri", "event", "series", "group"}:
        found += [f"{ORIGIN}/{room}/{end}" for room in ("events", "series", "groups") for end in _ENDS]
    return found


async def test_hostile_parameters_are_refused_by_name(make_database: MakeDatabase, clock: Clock) -> None:
    site = site_on(await make_database("openmeet"), clock, api_requests_per_minute=0)
    async with site.db.transaction() as tx:
        await event_by(tx, await person(tx, "Ana"))
    chance = random.Random(SEED)
    async with site.browser() as client:
        for query in QUERIES:
            method = _CATALOG.find_method(own_name(query.name))
            assert isinstance(method, QueryType)
            parameters = method.parameters or ParamsType()
            for name in parameters.properties:
                for value in _values(name, chance):
                    rest = {one: _FITTING[one] for one in parameters.required if one != name}
                    asked = "&".join(f"{one}={quote(text, safe='')}" for one, text in {**rest, name: value}.items())
                    answer = await client.get(f"/xrpc/{own_name(query.name)}?{asked}")
                    assert answer.status_code in {200, 400, 414}, (query.name, name, value, answer.text)
                    assert internals_in(answer.content, asked) == [], (query.name, name, value)
                    if answer.status_code != 200:
                        assert json.loads(answer.text)["error"].isalpha(), (query.name, name, value)
