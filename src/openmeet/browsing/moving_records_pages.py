"""The page on which somebody moves what they have published to their other account."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput, NotFound, Refused
from openmeet.debts.publications import Kind
from openmeet.series import moving_records
from openmeet.site.forms import EMPTY, Typed, read_form
from openmeet.site.frame import go, page
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of
from openmeet.users.model import UserId

PATH = "/settings/identity/move"


def routes() -> list[Route]:
    return [Route(PATH, show, methods=["GET"]), Route(PATH, move, methods=["POST"])]


async def show(request: Request) -> Response:
    return await _page(request, EMPTY)


async def move(request: Request) -> Response:
    caller = caller_of(request)
    typed = await read_form(request)
    try:
        events, series = await move_all(database_of(request), caller.user_id, did_of(typed.get("from", "")))
    except (InvalidInput, NotFound, Refused) as wrong:
        status = 404 if isinstance(wrong, NotFound) else 422
        return await _page(request, Typed({}, {"": wrong.why}), status=status)
    return go(PATH, said="records_moved" if events or series else "records_none_moved")


def did_of(text: str) -> Did:
    """Raises InvalidInput."""
    try:
        return parse_did(text)
    except Malformed:
        raise InvalidInput("from", "Choose one of your accounts.") from None


async def move_all(db: Database, user_id: UserId, source: Did) -> tuple[int, int]:
    """Events and series that were moved. Interrupted, what is done is done, and the same again does the rest."""
    numbers: dict[Kind, int] = {}
    # Series first: the records of their dates name theirs.
    for kind in (Kind.SERIES, Kind.EVENT):
        after: str | None = ""
        while after is not None:
            async with db.transaction() as tx:
                moved = await moving_records.move_some(tx, user_id, source, kind, after)
            numbers[kind] = numbers.get(kind, 0) + moved.number
            after = moved.after
    return numbers[Kind.EVENT], numbers[Kind.SERIES]


async def _page(request: Request, typed: Typed, *, status: int = 200) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        held = await moving_records.held(reader, caller.user_id)
    context = {"typed": typed, "target": held[0] if held else None, "others": held[1:]}
    return page(request, "browsing/moving_records.html", context, status=status)
