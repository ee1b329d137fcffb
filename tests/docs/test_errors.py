"""docs/errors.md matches the code."""

from groundwork.errors import KINDS
from tests.docs.tables import bare, rows


def test_every_kind_is_listed_with_its_answers() -> None:
    documented = {
        bare(kind): (int(http), int(xrpc), bare(name), retries == "yes")
        for kind, http, xrpc, name, retries, _ in rows("errors.md")
    }
    in_code = {
        kind.__name__: (row.http_status, row.xrpc_status, row.xrpc_name, row.worth_retrying)
        for kind, row in KINDS.items()
    }
    assert documented == in_code
