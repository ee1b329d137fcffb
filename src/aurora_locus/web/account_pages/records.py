"""Browse one's own records, page by page, by collection or search words. Each record is shown as JSON."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts import record_search, stored_data
from aurora_locus.accounts.record_search import RecordMatch
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.oauth.plain_names import KINDS
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show
from aurora_locus.web.site.frame import page
from aurora_locus.web.site.services import services
from groundwork.errors import InvalidInput, NotFound, Why
from groundwork.http.forms import FormState

PATH = "/account/records"

# Characters of a record in a list: enough to recognize it.
_EXCERPT = 160
# Fields in which common apps store a record's title or text.
_SUMMARY_KEYS = ("title", "name", "displayName", "text", "description", "subject", "status")


def routes() -> list[Route]:
    """The routes of this module."""
    return [show(PATH, show_records), show(f"{PATH}/{{collection}}/{{rkey}}", show_record)]


async def show_records(request: Request) -> Response:
    """Show a page of records, and let the owner choose a collection."""
    registry, account = services(request).registry, authentication.account_of(request)
    search = {name: request.query_params.get(name, "") for name in ("collection", "q", "cursor")}
    async with registry.db.reader() as reader:
        collections = await stored_data.collections(reader, account.did)
    problems: dict[str, Why] = {}
    record_page = record_search.RecordPage((), 0, None)
    try:
        record_page = await record_search.find(
            registry.db, account.did, collection=search["collection"], words=search["q"], cursor=search["cursor"]
        )
    except InvalidInput as wrong:
        problems = {wrong.field: wrong.why}
    context = {
        "typed": FormState(search, problems),
        "collections": collections,
        "found": record_page,
        "excerpts": [record_excerpt(one) for one in record_page.records],
        "kind_of": kind_of,
    }
    return page(request, "account_pages/records.html", context, status=400 if problems else 200)


async def show_record(request: Request) -> Response:
    """Show one record as JSON. Raises NotFound."""
    registry, account = services(request).registry, authentication.account_of(request)
    names = request.path_params
    record = await record_search.read(registry.db, account.did, names["collection"], names["rkey"])
    if record is None:
        raise NotFound(gettext_noop("This entry isn’t in your account. It may be deleted already."))
    context = {
        "record": record,
        "title": record_excerpt(record),
        "kind": kind_of(record.collection),
        "uri": f"at://{account.did}/{record.collection}/{record.rkey}",
        "json": record_search.format_json(record),
    }
    return page(request, "account_pages/record.html", context)


def kind_of(collection: str) -> str:
    """Return the heading for the records of a collection, such as ``Your posts``, or its NSID if the type is not well
    known.
    """
    return str(KINDS.get(collection, collection))


def record_excerpt(record: RecordMatch) -> str:
    """Return one line by which the owner can recognize the record."""
    value = record.value
    summary = next(
        (value[name] for name in _SUMMARY_KEYS if isinstance(value.get(name), str) and value[name].strip()), None
    )
    text = summary or msgspec.json.encode({name: part for name, part in value.items() if name != "$type"}).decode()
    text = " ".join(text.split())
    return text if len(text) <= _EXCERPT else f"{text[: _EXCERPT - 1]}…"
