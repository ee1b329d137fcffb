"""``/operating/flags``: each feature flag of the synchronization with its switch, and the time and reason of the last
change.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import SECOND
from groundwork.errors import InvalidInput
from groundwork.http.forms import EMPTY, FormState, read_form
from openmeet.domain.validation import GeneralReason
from openmeet.feature_flags import flags as feature_flags
from openmeet.feature_flags.flags import DEFAULTS, MAX_AGE, WHAT, Flag
from openmeet.i18n.catalogue import lazy
from openmeet.network.flag_changes import MAX_WHY, flag_named, switch_flag
from openmeet.web.admin.access import operator_of
from openmeet.web.atproto.ingest_api import sync_dependencies_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/operating/flags"

# Consequences that an operator should know before switching.
FOLLOWS: Final = {
    Flag.EVENTS_IN: (
        lazy("We read all known repositories to find every event."),
        lazy(
            "New and changed events from other apps are ignored. Existing ones stay until they’re deleted in the "
            "other app."
        ),
    ),
    Flag.RSVPS_IN: (
        lazy("We read all known repositories to find every answer."),
        lazy("Answers from other apps are ignored. Existing ones stay, and people can still withdraw them."),
    ),
    Flag.EVENTS_OUT: (
        lazy("We’re now sending the records that were waiting."),
        lazy("New records wait. Deletions are still sent."),
    ),
    Flag.RSVPS_OUT: (
        lazy("We’re now sending the records that were waiting."),
        lazy("New records wait. Deletions are still sent."),
    ),
    Flag.SERIES_LEXICON: (
        lazy("Series created here are written as records, and records of series are read."),
        lazy("Series records are no longer written or read. Existing ones stay."),
    ),
    Flag.NATIVE_RECURRENCE: (
        lazy("Published events of a series are rewritten, with its rule."),
        lazy("Published events of a series are rewritten, without its rule."),
    ),
    Flag.DETECTION: (
        lazy("We’ll look for series among single events again."),
        lazy("We don’t look for series any more. Series that we already found stay."),
    ),
    Flag.GROUPS: (
        lazy("Public groups and their events are written as records, and records of groups are read."),
        lazy("Group records are no longer written or read. Existing ones stay."),
    ),
    Flag.MEMBERSHIPS: (
        lazy("Members of public groups who agreed are written to records, and such records are read."),
        lazy("Membership records are no longer written or read. Existing ones stay."),
    ),
}


def routes() -> list[Route]:
    return [
        Route(PATH, show_flags, methods=["GET"]),
        Route(f"{PATH}/{{flag}}", show_flag, methods=["GET"]),
        Route(f"{PATH}/{{flag}}", switch, methods=["POST"]),
    ]


async def show_flags(request: Request) -> Response:
    await operator_of(request)
    async with database_of(request).reader() as reader:
        switched_on = await feature_flags.switches(reader)
        changes = await feature_flags.changes(reader)
        now = reader.now
    flags = [(flag, flag in switched_on, DEFAULTS[flag]) for flag in Flag]
    return page(request, "admin/flags.html", {"flags": flags, "what": WHAT, "changes": changes, "now": now})


async def show_flag(request: Request) -> Response:
    await operator_of(request)
    return await _flag_page(request, flag_named(request.path_params["flag"]))


async def switch(request: Request) -> Response:
    """Set the state that the button names. A toggle would undo the change on a second click or from an outdated page."""
    operator = await operator_of(request)
    flag = flag_named(request.path_params["flag"])
    form = await read_form(request)
    if form.get("to") not in {"on", "off"}:
        raise InvalidInput("to", GeneralReason.CHOOSE_ONE, choices="on, off")
    try:
        is_changed = await switch_flag(
            database_of(request),
            sync_dependencies_of(request).installation,
            flag,
            is_on=form["to"] == "on",
            changed_by=str(operator),
            why=form.get("why", ""),
        )
    except InvalidInput as wrong:
        return await _flag_page(request, flag, FormState(form, {wrong.field: wrong.why}), status=400)
    return go(PATH, flash="flag_switched" if is_changed else "flag_stood_so")


async def _flag_page(request: Request, flag: Flag, form_state: FormState = EMPTY, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        is_on = flag in await feature_flags.switches(reader)
    on, off = FOLLOWS[flag]
    return page(
        request,
        "admin/flag.html",
        {
            "flag": flag,
            "is_on": is_on,
            "what": WHAT[flag],
            "follows": off if is_on else on,
            "seconds": MAX_AGE // SECOND,
            "max_why": MAX_WHY,
            "typed": form_state,
        },
        status=status,
    )
