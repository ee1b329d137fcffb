"""Call every lexicon query about every subject, anonymously or with a token of the viewer's DID."""

from collections.abc import Iterator, Mapping

from at_protocol.lexicon.authority import own_name
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Transaction
from openmeet.web.xrpc.dispatch import QUERIES
from tests.openmeet.ingestion.network import message, rev, rsvp_value
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.privacy.planted import ABSENT, Planted, Viewer
from tests.openmeet.privacy.site_crawler import Look, Place
from tests.openmeet.site_under_test import ORIGIN, Site
from tests.openmeet.xrpc.query_client import People
from tests.simulation.oracle import RSVP, Change

HOSTS_REPOSITORY = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
_CID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"

# The kind of subject that the one parameter of each query identifies.
_ABOUT = {
    "getEvent": [("uri", "events")],
    "listAnswers": [("event", "events")],
    "listSeriesEvents": [("series", "series")],
    "getGroup": [("uri", "groups")],
    "listGroupEvents": [("group", "groups")],
    "resolveUri": [("uri", "events"), ("uri", "series"), ("uri", "groups")],
}
_LISTS: dict[str, list[Mapping[str, str]]] = {
    "listEvents": [
        {},
        {"since": "2020-01-01T00:00:00Z", "limit": "100"},
        {"q": "zq"},
        {"latitude": "52.5", "longitude": "13.4", "within": "500"},
    ],
    "listActorEvents": [{"actor": HOSTS_REPOSITORY, "limit": "100"}],
}


async def put_records(tx: Transaction) -> dict[str, str]:
    """Give every subject a record, even subjects that normally have none. Returns the URI by slug. A subject that
    already has a record is queried by that one, too.
    """
    await tx.execute(
        f"update events set record_uri = '{_record('community.lexicon.calendar.event')}' || id, record_cid = :cid,"
        " record_did = :did",
        cid=_CID,
        did=HOSTS_REPOSITORY,
    )
    await tx.execute(f"update event_series set record_uri = '{_record(own_name('series'))}' || id")
    await tx.execute(f"update attendances set record_uri = '{_record('community.lexicon.calendar.rsvp')}' || id")
    await tx.execute(f"update groups set external_id = '{_record(own_name('group'))}' || id")
    rows = await tx.fetch("select slug, external_id as record_uri from groups order by id")
    rows += await tx.fetch("select slug, record_uri from events order by id")
    rows += await tx.fetch("select slug, record_uri from event_series order by id")
    return {row["slug"]: row["record_uri"] for row in rows} | {ABSENT: f"{_record('org.example.nothing')}nothing"}


async def answer_everything(site: Site, author: Did) -> int:
    """Answer every record of an event, from another app. Returns the number of answers."""
    async with site.db.reader() as reader:
        rows = await reader.fetch("select record_uri from events where record_uri is not null order by id")
    about = [row["record_uri"] for row in rows]
    for word in ("notgoing", "going"):
        changes = [
            Change(author, RSVP, f"{word}{number}", rev(number), rsvp_value(uri, word))
            for number, uri in enumerate(about)
        ]
        await apply_messages(site.db, *map(message, changes))
    return len(about)


def _record(collection: str) -> str:
    return f"at://{HOSTS_REPOSITORY}/{collection}/"


async def ask_everything(
    site: Site, planted: Planted, viewer: Viewer, people: People, dids: Mapping[Viewer, Did], records: Mapping[str, str]
) -> Look:
    """Call every query about every subject whose slug this viewer has."""
    look = Look()
    async with site.browser() as client:
        for query in QUERIES:
            for place, parameters, known in _questions(query.name, planted, viewer, records):
                token = people.token(dids[viewer], query.name) if viewer in dids else ""
                headers = {"authorization": f"Bearer {token}"} if token else {}
                answer = await client.get(f"/xrpc/{own_name(query.name)}", params=parameters, headers=headers)
                look.note(planted, place, f"{query.name}?{dict(parameters)}", known, answer)
                if answer.status_code >= 400:
                    look.answers[place, known] = (answer.status_code, answer.text)
    return look


def _questions(
    name: str, planted: Planted, viewer: Viewer, records: Mapping[str, str]
) -> Iterator[tuple[Place, Mapping[str, str], str]]:
    """Yield the label of each query call, its parameters, and the slug that the viewer already knows."""
    for parameters in _LISTS.get(name, ()):
        yield Place("GET", f"{name} {sorted(parameters)}"), parameters, ""
    for parameter, room in _ABOUT.get(name, ()):
        for values in planted.known_to(viewer, room):
            slug = values["slug"]
            yield Place("GET", f"{name} page {room}"), {parameter: f"{ORIGIN}/{room}/{slug}"}, slug
            if slug in records:
                yield Place("GET", f"{name} record {room}"), {parameter: records[slug]}, slug


assert _ABOUT.keys() | _LISTS.keys() == {query.name for query in QUERIES}, "a query that is not tested"
