"""Routing of XRPC queries: ``GET /xrpc/<nsid>``, validated by the query's Lexicon.

Source: XRPC (HTTP API) specification. A query is available under the operator's NSID and under every NSID that the
project has ever published. Anonymous responses are public and can be cached but must be revalidated, because content
that a host retracts must disappear at once.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.failures import Malformed
from at_protocol.lexicon.authority import OWN_AUTHORITY, own_spellings
from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.xrpc.errors import ErrorBody, encode_error
from at_protocol.xrpc.parameters import decode_parameters
from groundwork.errors import InvalidInput
from groundwork.http.application import add_header, name_route
from groundwork.http.cors import XRPC_EXPOSED, Cors
from openmeet.i18n.reasons.messages import explain
from openmeet.web.api.etags import answer_unless_known
from openmeet.web.site.caller import set_caller
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.xrpc import events, groups, resolve, series, service
from openmeet.web.xrpc.call import LexiconCall, Query, authenticate_caller, viewer_of
from openmeet.web.xrpc.reasons import XrpcReason

PREFIX: Final = "/xrpc/"
PATH: Final = "/xrpc/{nsid:path}"

# The route label of unknown queries in metrics and logs. Labels must be a closed set.
_UNKNOWN: Final = "unknown"

QUERIES: Final = (
    *events.QUERIES,
    *series.QUERIES,
    *groups.QUERIES,
    *resolve.QUERIES,
)

CORS: Final = Cors((PREFIX, service.DOCUMENT_PATH), exposed=XRPC_EXPOSED, methods="GET, HEAD")


def routes(authority: str) -> list[Route]:
    """The single route for all queries. ``authority`` is the operator's NSID authority."""
    return [Route(PATH, dispatcher(authority), methods=["GET", "POST", "PUT", "PATCH", "DELETE"])]


def dispatcher(authority: str) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint below ``PREFIX``."""
    catalog = Catalog()
    query_by_name: dict[str, Query] = {
        name: query for query in QUERIES for name in own_spellings(query.name, authority)
    }

    async def answer(request: Request) -> Response:
        set_caller(request, None)
        nsid = request.path_params["nsid"].rstrip("/")
        query = query_by_name.get(nsid)
        name_route(request, _UNKNOWN if query is None else query.name)
        add_header(request, "vary", "authorization")
        if query is None:
            return _unknown_method(nsid)
        # 400 rather than 405, as in other implementations.
        if request.method not in {"GET", "HEAD"}:
            raise InvalidInput("", XrpcReason.QUERY_BY_GET, nsid=nsid)
        caller = await authenticate_caller(request, nsid)
        try:
            parameters = decode_parameters(catalog, f"{OWN_AUTHORITY}.{query.name}", request.url.query)
        except Malformed as error:
            raise InvalidInput("", XrpcReason.INVALID_PARAMETERS, problem=error.why) from None
        db, public_url = database_of(request), services(request).settings.public_url
        async with db.reader() as reader:
            viewer = await viewer_of(reader, caller)
            struct = await query.answer(LexiconCall(db, reader, parameters, viewer, public_url))
        headers = {"cache-control": "public, no-cache" if caller.did is None else "private, no-cache"}
        response = Response(msgspec.json.encode(struct), 200, headers, "application/json")
        return answer_unless_known(request, response)

    return answer


def _unknown_method(nsid: str) -> Response:
    try:
        parse_nsid(nsid)
    except Malformed:
        raise InvalidInput("", XrpcReason.MALFORMED_METHOD) from None
    # 501 tells clients not to retry. No failure class maps to this status.
    body = encode_error(ErrorBody("MethodNotImplemented", explain(XrpcReason.NO_SUCH_METHOD(nsid=nsid))))
    return Response(body, 501, media_type="application/json")
