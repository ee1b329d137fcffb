"""docs/routes.md lists exactly the routes of the three servers."""

from aurora_locus.xrpc.table import table
from openmeet.app import API_PREFIX
from openmeet.routes import operations
from openmeet.web.xrpc.dispatch import QUERIES
from tests.docs.conftest import Opened, served
from tests.docs.tables import bare, section

PAGE = "routes.md"


def documented(*headings: str) -> set[tuple[str, str]]:
    """The methods and paths in these sections."""
    return {(row[0], bare(row[1])) for heading in headings for row in section(PAGE, heading)}


OPERATORS = "For operators, on every server"


async def test_routes_of_the_events_platform_are_listed(opened: Opened) -> None:
    assert served(opened.site) == documented("Pages of OpenMeet", "JSON API of OpenMeet", OPERATORS)


def test_queries_for_other_apps_are_listed() -> None:
    assert [bare(row[0]) for row in section(PAGE, "Queries of OpenMeet")] == [query.name for query in QUERIES]


async def test_routes_of_the_pds_are_listed(opened: Opened) -> None:
    assert served(opened.pds.app) == documented("Other addresses of Aurora Locus", "Pages of Aurora Locus", OPERATORS)


async def test_routes_of_the_directory_are_listed(opened: Opened) -> None:
    assert served(opened.directory) == documented("PLC directory", OPERATORS)


async def test_methods_with_their_kind_and_caller(opened: Opened) -> None:
    methods = table(opened.pds.registry)
    in_code = {(one.nsid, one.kind, one.need.value) for one in methods.methods.values()}
    in_code |= {(nsid, "subscription", "optional") for nsid in methods.subscriptions}
    assert in_code == {(bare(nsid), kind, need) for nsid, kind, need, _ in section(PAGE, "Methods of Aurora Locus")}


def test_operations_of_the_api_say_the_same_as_their_openapi() -> None:
    in_code = {(one.method, one.path, one.summary) for one in operations()}
    page = {(method, bare(path), what) for method, path, what in section(PAGE, "JSON API of OpenMeet")}
    assert in_code == {row for row in page if row[1] != f"{API_PREFIX}openapi.json"}
