"""The queue of reports, and the page of one report with its history."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts import account_details
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.moderation import audit_log, reports
from aurora_locus.moderation.reports import UNRESOLVED, PdsReport, ReportState
from aurora_locus.moderation.roles import AuditContext, OperatorAction, OperatorRole
from aurora_locus.moderation.subjects import record_at
from aurora_locus.web.administration_pages.content import record_json
from aurora_locus.web.administration_pages.operator_access import (
    admin_page,
    operator_get,
    operator_of,
    operator_post,
)
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import InvalidInput
from groundwork.http.forms import EMPTY, FormState, form_with_problems

PAGE = 30


def routes() -> list[Route]:
    """Routes of the queue of reports and of one report."""
    return [
        operator_get("/admin/reports", show_reports),
        operator_get("/admin/reports/{number:int}", show_report),
        operator_post("/admin/reports/{number:int}", work_on, OperatorAction.WORK_ON_REPORT),
    ]


async def show_reports(request: Request) -> Response:
    """Show open reports, or those in one state."""
    state_filter, before = request.query_params.get("state", ""), request.query_params.get("before", "")
    states = (
        (ReportState(state_filter),)
        if state_filter in set(ReportState)
        else None
        if state_filter == "all"
        else UNRESOLVED
    )
    last = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else reports.NEWEST
    async with services(request).registry.db.reader() as reader:
        pds_reports = await reports.page(reader, states=states, before=last, limit=PAGE)
        counts = await reports.counts(reader)
        handles = await account_details.handles(reader, {one.did for one in pds_reports})
    context = {
        "found": pds_reports,
        "handles": handles,
        "state": state_filter,
        "states": [*ReportState],
        "counts": {state.value: n for state, (n, _) in counts.items()},
        "more": str(pds_reports[-1].id) if len(pds_reports) == PAGE else "",
    }
    return admin_page(request, "reports.html", context)


async def show_report(request: Request) -> Response:
    """Show the report, its history, and the available actions."""
    return await _report(request, EMPTY)


async def work_on(request: Request) -> Response:
    """Add a note to a report, or change its state."""
    form, number = posted(request), request.path_params["number"]
    try:
        audit = AuditContext(operator_of(request), form.get("note", "").strip(), number)
        await reports.work_on(services(request).registry, audit, number, _state(form.get("state", "")))
    except InvalidInput as wrong:
        return await _report(request, form_with_problems(form, wrong), status=400)
    return redirect_to(f"/admin/reports/{number}", flash="saved")


async def _report(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    number = request.path_params["number"]
    async with services(request).registry.db.reader() as reader:
        report = await reports.find(reader, number)
        entries = await audit_log.page(reader, report=number, limit=100)
        people = await account_details.handles(reader, {report.did, report.reported_by})
        other_reports = [one for one in await reports.page(reader, subject=report.did, limit=11) if one.id != number]
    context = {
        "report": report,
        "text": await record_json(request, record_at(report.uri)) if report.uri else "",
        "entries": entries[::-1],
        "people": people,
        "others": other_reports,
        "typed": form_state,
        "choices": _choices(request, report),
    }
    return admin_page(request, "report.html", context, status=status)


def _state(text: str) -> ReportState | None:
    if text and text not in set(ReportState):
        raise InvalidInput("state", gettext_noop("Choose a status."))
    return ReportState(text) if text else None


def _choices(request: Request, report: PdsReport) -> list[ReportState]:
    """Return the states that this operator may choose now."""
    if report.state is ReportState.ESCALATED and operator_of(request).role is OperatorRole.MODERATOR:
        return []
    return [state for state in ReportState if state is not report.state]
