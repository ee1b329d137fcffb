"""Messages of the reasons of ``openmeet.web.xrpc.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "xrpc.token_not_taken": mark("Ask without a token, or through your server (atproto-proxy)."),
    "xrpc.query_by_get": mark("%(nsid)s is a query: ask with GET."),
    "xrpc.malformed_method": mark("The path after /xrpc/ must be the NSID of a method."),
    "xrpc.query_too_long": mark("At most %(most)s characters."),
    "xrpc.malformed_tag": mark("A tag has letters or digits."),
    "xrpc.point_incomplete": mark("A point has a latitude and a longitude in decimal degrees, like 52.52 and 13.405."),
    "xrpc.nothing_here": mark("There is nothing at this address."),
    "xrpc.no_such_event": mark("There is no such event."),
    "xrpc.no_such_series": mark("There is no such series."),
    "xrpc.no_such_group": mark("There is no such group."),
    "xrpc.invalid_cursor": mark("This cursor wasn’t made here; start again without one."),
    "xrpc.no_did_of_site": mark("This site’s address cannot have a DID: that needs a host name."),
    "xrpc.no_such_method": mark("This server has no method %(nsid)s."),
    "xrpc.invalid_parameters": mark("The parameters are invalid: %(problem)s."),
}
