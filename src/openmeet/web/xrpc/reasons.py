"""Reason codes of XRPC queries."""

from groundwork.errors import Reason


class XrpcReason(Reason):
    """Why an XRPC query of OpenMeet is refused. The messages are in ``i18n/reasons/records.py``."""

    TOKEN_NOT_TAKEN = "xrpc.token_not_taken"
    QUERY_BY_GET = "xrpc.query_by_get"
    MALFORMED_METHOD = "xrpc.malformed_method"
    MALFORMED_TAG = "xrpc.malformed_tag"
    POINT_INCOMPLETE = "xrpc.point_incomplete"
    NO_SUCH_SERIES = "xrpc.no_such_series"
    NO_SUCH_GROUP = "xrpc.no_such_group"
    NO_DID_OF_SITE = "xrpc.no_did_of_site"
    NO_SUCH_METHOD = "xrpc.no_such_method"
    INVALID_PARAMETERS = "xrpc.invalid_parameters"
