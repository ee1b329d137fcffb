"""Account administration: search, details and actions. Each action has a confirmation page."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.syntax.did import Did
from aurora_locus.accounts import account_details, queries
from aurora_locus.accounts.account_details import AccountDetails
from aurora_locus.administration.queries import account_counts, search_accounts
from aurora_locus.i18n.catalogue import LazyText
from aurora_locus.i18n.sentences import gettext_noop, localizable
from aurora_locus.moderation import audit_log, reports, takedowns
from aurora_locus.moderation.roles import OperatorAction
from aurora_locus.moderation.takedowns import AccountDecisions
from aurora_locus.repository.model import HostingStatus
from aurora_locus.web.administration_pages.account_actions import (
    ACCOUNT_ACTIONS,
    GROUPS,
    SUSPENSIONS,
    AccountAction,
    is_offered,
)
from aurora_locus.web.administration_pages.operator_access import (
    admin_page,
    audit_of,
    did_in_path,
    operator_get,
    operator_of,
    operator_post,
)
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import (
    Conflict,
    InvalidForm,
    InvalidInput,
    NotFound,
    Refused,
    RemoteFailed,
    RemoteSlow,
    Unavailable,
)
from groundwork.http.forms import FormState, form_with_problems

PAGE = 50


def routes() -> list[Route]:
    """Routes of the accounts: the list, one account, its actions."""
    return [
        operator_get("/admin/accounts", show_accounts),
        operator_get("/admin/accounts/{did}", show_account),
        operator_get("/admin/accounts/{did}/{act}", show_action),
        operator_post("/admin/accounts/{did}/{act}", act),
    ]


async def show_accounts(request: Request) -> Response:
    """Search for accounts by handle, address or DID."""
    query = request.query_params
    text, status, after = query.get("q", "").strip(), query.get("status", ""), query.get("after", "")
    async with services(request).registry.db.reader() as reader:
        rows = await search_accounts(reader, text, status, after=after, limit=PAGE)
    next_after = rows[-1].handle if len(rows) == PAGE else ""
    context = {"found": rows, "q": text, "status": status, "statuses": [*HostingStatus][:-1], "more": next_after}
    return admin_page(request, "accounts.html", context)


async def show_account(request: Request) -> Response:
    """Show everything that the host may see about one account."""
    did = did_in_path(request)
    registry = services(request).registry
    account, decisions = await _account(request, did)
    async with registry.db.reader() as reader:
        context = {
            "account": account,
            "decided": decisions,
            "held": await account_counts(reader, did),
            "entries": await audit_log.page(reader, subject=did, limit=20),
            "reports": await reports.page(reader, subject=did, limit=20),
            "acts": _actions_by_heading(request, account, decisions),
            "report": request.query_params.get("report", ""),
            "handles": await account_details.handles(reader, _accounts_of_invites(account)),
        }
    return admin_page(request, "account.html", context)


def _accounts_of_invites(account: AccountDetails) -> set[str]:
    """Return the DIDs of the account that invited this one, and of the accounts that this one invited."""
    invited: set[str] = {did for code in account.invites for did, _ in code.uses}
    return invited | ({account.invited_by.for_account} if account.invited_by else set())


async def show_action(request: Request) -> Response:
    """Show the page that describes the effect of an action and asks for confirmation."""
    did = did_in_path(request)
    action = _act_in_path(request)
    account, decisions = await _account(request, did)
    form_state = FormState({"report": request.query_params.get("report", "")})
    return _form(request, action, account, decisions, form_state)


async def act(request: Request) -> Response:
    """Carry out the action."""
    did = did_in_path(request)
    action = _act_in_path(request)
    account, decisions = await _account(request, did)
    form = posted(request)
    try:
        audit = audit_of(request)
        _require_confirmed(action, account, form)
        await action.run(services(request).registry, audit, did, form)
    except InvalidInput as wrong:
        return _form(request, action, account, decisions, form_with_problems(form, wrong), status=400)
    except (Refused, Conflict, RemoteFailed, RemoteSlow, Unavailable) as no:
        return _form(request, action, account, decisions, FormState(form, {"act": no.why}), status=422)
    if action.is_end:
        return redirect_to("/admin/accounts", flash="done")
    return redirect_to(f"/admin/accounts/{did}", flash="done")


def _require_confirmed(action: AccountAction, account: AccountDetails, form: dict[str, str]) -> None:
    if action.is_end and form.get("handle", "").strip().lower().removeprefix("@") != account.handle:
        raise InvalidForm({"handle": localizable("Type %(handle)s to confirm.", handle=account.handle)})
    if action.confirmation is not None and "sure" not in form:
        raise InvalidForm({"sure": gettext_noop("Select this to continue.")})


def _form(
    request: Request,
    action: AccountAction,
    account: AccountDetails,
    decisions: AccountDecisions,
    form_state: FormState,
    *,
    status: int = 200,
) -> Response:
    context = {
        "act": action,
        "account": account,
        "decided": decisions,
        "typed": form_state,
        "suspensions": [(days, label, "") for days, label in SUSPENSIONS.items()],
    }
    return admin_page(request, "account_action.html", context, status=status)


def _act_in_path(request: Request) -> AccountAction:
    action = ACCOUNT_ACTIONS.get(request.path_params["act"])
    if action is None:
        raise NotFound(gettext_noop("There’s no such action."))
    operator_of(request).require(action.act)
    return action


def _actions_by_heading(
    request: Request, account: AccountDetails, decisions: AccountDecisions
) -> list[tuple[LazyText, list[AccountAction]]]:
    """Return the actions that this operator can take on the account now, by heading."""
    operator = operator_of(request)
    done = OperatorAction.DISABLE_INVITES if account.invites_are_disabled else OperatorAction.ENABLE_INVITES
    actions = [
        one
        for one in ACCOUNT_ACTIONS.values()
        if operator.may(one.act) and one.act is not done and is_offered(one, decisions)
    ]
    groups = [(heading, [one for one in actions if one.group is group]) for group, heading in GROUPS.items()]
    return [(heading, acts) for heading, acts in groups if acts]


async def _account(request: Request, did: Did) -> tuple[AccountDetails, AccountDecisions]:
    registry = services(request).registry
    async with registry.db.reader() as reader:
        details = await account_details.find(reader, [did])
        account = await queries.find(reader, did)
    if not details or account is None:
        raise NotFound(gettext_noop("There’s no such account on this server."))
    return details[0], await registry.db.write(lambda w: takedowns.decisions(w, did))
