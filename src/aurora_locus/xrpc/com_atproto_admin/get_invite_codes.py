"""Return all invite codes, the newest or the most used first."""

from aurora_locus.accounts import invites
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_server.invite_view import invite_view
from aurora_locus.xrpc.method import Outcome, XrpcCall, query
from groundwork.errors import InvalidInput

_SORTS = frozenset({"recent", "usage"})
_SEPARATOR = "::"


async def get_invite_codes(call: XrpcCall) -> Outcome:
    """Return a page of all invite codes, by age or by usage. Raises InvalidInput for an unknown sort order or an
    invalid cursor.
    """
    sort, limit, cursor = call.parameters["sort"], call.parameters["limit"], call.parameters.get("cursor")
    if sort not in _SORTS:
        raise InvalidInput("sort", "sort must be recent or usage.")
    async with call.registry.db.reader() as reader:
        codes = await invites.page(reader, sort, None if cursor is None else _parse(cursor), limit)
    response: dict[str, object] = {"codes": [invite_view(code) for _, code in codes]}
    if len(codes) == limit:
        key, code = codes[-1]
        response["cursor"] = f"{key}{_SEPARATOR}{code.code}"
    return response


def _parse(cursor: str) -> tuple[int, str]:
    key, separator, code = cursor.partition(_SEPARATOR)
    if not separator or not key.isascii() or not key.isdigit() or len(key) > 18 or not code.isprintable():
        raise InvalidInput("cursor", "This cursor does not belong to this list.")
    return int(key), code


METHOD = query("com.atproto.admin.getInviteCodes", get_invite_codes, AccessLevel.MODERATOR)
