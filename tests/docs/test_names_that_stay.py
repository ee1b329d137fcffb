"""Names of the design that other programs, stored data and operators depend on. They never change; others may be added."""

from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import from_microseconds
from aurora_locus.reference_settings import own_names
from aurora_locus.xrpc.table import table
from groundwork.cache.in_process import InProcessCache
from groundwork.clock import HandClock
from openmeet.domain.users.model import UserId
from openmeet.network.records.collections import CONCERNING
from openmeet.network.records.message import Hint, HintKind, RecordMessage, RecordOperation
from openmeet.network.repositories import credentials_cache
from openmeet.network.repositories.credentials_cache import CachedCredentials
from openmeet.routes import operations
from openmeet.web.xrpc.dispatch import QUERIES
from tests.databases import MakeDatabase
from tests.docs.conftest import Opened, served
from tests.openmeet.identities.offline_clients import offline_network

DID = parse_did("did:plc:ewvi7nxzyoun6zhxrhs64oiz")

COLUMNS = {
    "event_series": """slug recurrence_rule recurrence_exceptions recurrence_dates time_zone matrix_room_id
        external_id external_cid external_source external_data is_read_only""",
    "event_series_followers": "series_id user_id notifications_enabled",
    "events": """slug series_id original_date is_modified_occurrence matrix_room_id
        external_id external_cid external_source external_data""",
    "groups": "slug external_id external_cid external_source sync_enabled promotion_level backup_admin_did",
    "group_members": "group_id user_id role external_id sync_enabled notifications_enabled",
}

ROUTING_KEYS = """
    event.create event.update event.delete rsvp.create rsvp.update rsvp.delete
    series.create series.update series.delete group.create group.update group.delete
    membership.create membership.update membership.delete identity.update account.update
"""

# Below openmeet.lexicon.
RECORDS = "series group groupMembership groupAcceptance groupEvent"
OBJECTS = "origin seriesLink eventDetails groupLink succession"
METHODS = "getEvent listEvents listActorEvents listAnswers listSeriesEvents getGroup listGroupEvents resolveUri"

ENDPOINTS = """
    GET /api/events | POST /api/events | GET /api/events/{slug}
    GET /api/series | POST /api/series | GET /api/series/{slug} | GET /api/series/{slug}/dates
    PUT /api/series/{slug}/follow | DELETE /api/series/{slug}/follow
    GET /api/auth/login-bsky | POST /api/auth/login-bsky
    POST /api/events/sync-bluesky | POST /api/events/{slug}/attendees/sync
    GET /api/events/{slug}/bluesky-settings | POST /api/events/{slug}/bluesky-settings
    POST /api/bluesky/events/process | POST /api/bluesky/rsvps/process
"""
SITE = """
    GET /.well-known/did.json | GET /xrpc/{nsid:path} | GET /api/openapi.json
    GET /health/live | GET /health/ready | GET /metrics
"""
PDS = """
    GET /xrpc/_health | GET /.well-known/did.json | GET /.well-known/atproto-did
    GET /.well-known/oauth-authorization-server | GET /.well-known/oauth-protected-resource
    GET /oauth/jwks | POST /oauth/par | GET /oauth/authorize | POST /oauth/token | POST /oauth/revoke
    GET /health/live | GET /health/ready | GET /metrics
"""
PDS_METHODS = """
    com.atproto.sync.requestCrawl com.atproto.sync.listRepos com.atproto.sync.listReposByCollection
    com.atproto.sync.getRecord com.atproto.sync.getRepo com.atproto.repo.applyWrites com.atproto.repo.putRecord
"""

PDS_SETTINGS = """
    PDS_FEDERATION_ENABLED PDS_FEDERATION_RELAY_URLS PDS_FEDERATION_FIREHOSE_ENABLED PDS_FEDERATION_CRAWL_ENABLED
    PDS_FEDERATION_AUTO_STREAM PDS_PUBLIC_URL PDS_HOSTNAME PDS_CRAWLERS PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX
"""


def routes(text: str) -> set[tuple[str, str]]:
    """Pairs of method and path, from lines of “METHOD path | METHOD path”."""
    found = [one.split() for line in text.strip().splitlines() for one in line.split("|")]
    return {(method, path) for method, path in found}


async def test_tables_and_columns_stay(make_database: MakeDatabase) -> None:
    """A missing table or column makes its statement fail."""
    db = await make_database("openmeet")
    async with db.reader() as reader:
        for name, columns in COLUMNS.items():
            await reader.fetch(f"select {', '.join(columns.split())} from {name} where 1 = 0")


def test_routing_keys_stay() -> None:
    rev = from_microseconds(1_772_366_400_000_000, 0)
    found = {Hint(DID, kind, "", 1).routing_key for kind in HintKind} | {
        RecordMessage(DID, one, parse_record_key("x"), rev, done, None, None, is_verified=True).routing_key
        for one in CONCERNING
        for done in RecordOperation
    }
    assert set(ROUTING_KEYS.split()) - found == set()


def test_lexicon_names_stay() -> None:
    named = {f"openmeet.lexicon.{name}" for name in f"{RECORDS} {OBJECTS} {METHODS}".split()}
    assert named - set(Catalog().names()) == set()
    assert {f"openmeet.lexicon.{name}" for name in RECORDS.split()} - CONCERNING == set()
    assert set(METHODS.split()) - {query.name for query in QUERIES} == set()


async def test_endpoints_stay(opened: Opened) -> None:
    assert routes(ENDPOINTS) - {(one.method, one.path) for one in operations()} == set()
    assert routes(ENDPOINTS) | routes(SITE) <= served(opened.site)
    assert routes(PDS) - served(opened.pds.app) == set()
    methods = table(opened.pds.registry)
    assert set(PDS_METHODS.split()) - {one.nsid for one in methods.methods.values()} == set()
    assert "com.atproto.sync.subscribeRepos" in methods.subscriptions


async def test_metric_of_answers_stays(opened: Opened) -> None:
    opened.platform.rsvp_operations.labels(tenant="default", operation="create", status="going").inc()
    shown = opened.platform.metrics.exposition().decode()
    assert 'bluesky_rsvp_operations_total{operation="create",status="going",tenant="default"}' in shown


async def test_cache_key_of_credentials_stays(clock: HandClock) -> None:
    """The cache itself puts the name of the community before the key (``tests/openmeet/identities``)."""
    cache = InProcessCache(clock)
    async with offline_network(clock, cache) as network:
        await credentials_cache.put(network, UserId("ana"), CachedCredentials(DID, "ana.test", "a", "r", 1))
    assert await cache.get("bluesky:credentials:ana") is not None


def test_settings_of_the_pds_stay() -> None:
    assert set(PDS_SETTINGS.split()) - own_names() == set()
