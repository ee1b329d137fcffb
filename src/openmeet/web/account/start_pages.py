"""Onboarding of a new user: town, topics and groups. Each step can be skipped."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Transaction
from groundwork.errors import InvalidForm, Refused, Unavailable
from groundwork.http.forms import EMPTY, FormState, form_with_problems, local_path, read_form
from openmeet.domain.events.vocabulary import Category, categories_by_label
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups import membership_queries
from openmeet.domain.groups.model import GroupSlug
from openmeet.domain.saved_searches import actions as saved_searches
from openmeet.domain.search.filters import FIELDS
from openmeet.domain.users.model import Caller
from openmeet.web.account.profile_pages import picture_context
from openmeet.web.search import places
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import avatar_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/welcome/start"

# Each topic is stored as a saved search, and the number of saved searches is limited.
MAX_TOPICS: Final = 5
_MAX_GROUPS: Final = 6


def routes() -> list[Route]:
    return [Route(PATH, show, methods=["GET"]), Route(PATH, start, methods=["POST"])]


async def show(request: Request) -> Response:
    return await _start_page(request, EMPTY)


async def start(request: Request) -> Response:
    """Save a search near the town for each topic, and follow the selected groups."""
    caller = caller_of(request)
    form = await read_form(request)
    topics = [one for one in Category if form.get(f"topics.{one.value}")]
    slugs = [GroupSlug(name.removeprefix("groups.")) for name in form if name.startswith("groups.")][:_MAX_GROUPS]
    search_fields: dict[str, str] = dict.fromkeys(FIELDS, "")
    try:
        search_fields = await places.add_point(request, search_fields | {"near": form.get("near", "").strip()})
        async with database_of(request).transaction() as tx:
            await _save_searches(tx, caller, search_fields, topics[:MAX_TOPICS])
            for slug in slugs:
                await group_actions.follow(tx, caller, slug)
    except InvalidForm as wrong:
        return await _start_page(request, form_with_problems(form, wrong), status=400)
    except Unavailable as later:
        return await _start_page(request, FormState(form, {"near": later.why}), status=503)
    except Refused as refused:
        return await _start_page(request, FormState(form, {"": refused.why}), status=422)
    has_search = bool(topics or search_fields["near"] or slugs)
    return go(local_path(form.get("next", "/home")), flash="started" if has_search else "")


async def _save_searches(
    tx: Transaction, caller: Caller, search_fields: dict[str, str], topics: list[Category]
) -> None:
    if not topics and search_fields["near"]:
        await saved_searches.save(tx, caller, search_fields)
    for topic in topics:
        await saved_searches.save(tx, caller, search_fields | {"category": topic.value})


async def _start_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        listed = await membership_queries.listed(reader, (), caller.user_id, after=None, limit=_MAX_GROUPS)
        portrait = await picture_context(request, reader)
    rows = [
        {
            "slug": one.group.slug,
            "name": one.group.details.name,
            "members": one.members,
            "face": avatar_of(one.group.id, one.group.details.name),
        }
        for one in listed
        if one.role is None
    ]
    context = portrait | {
        "typed": form_state,
        "topics": [(one.value, words) for one, words in categories_by_label()],
        "groups": rows,
        "next_path": (following := local_path(form_state.value("next") or request.query_params.get("next", "/home"))),
        "here": f"{PATH}?{urlencode({'next': following})}",
    }
    return page(request, "account/welcome_start.html", context, status=status)
