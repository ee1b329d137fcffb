"""Account migration pages, step by step: destination, copy, code from the e-mail, result."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.syntax.did import is_plc
from aurora_locus.account_migration import actions, moves, web_moves
from aurora_locus.account_migration.actions import MoveRequest
from aurora_locus.accounts import email_changes, stored_data, web_identities
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.limits import MOVE, REQUEST_SIGNATURE
from aurora_locus.accounts.model import Account
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.web.account_pages.forms import TOKEN, count, own_account, page_with_failure
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import Failure, InvalidForm, InvalidInput
from groundwork.http.forms import EMPTY

PATH = "/account/move"
_TEMPLATE = "account_pages/move.html"


def routes() -> list[Route]:
    """The routes of this module."""
    return [show(PATH, show_move), take(PATH, change_move)]


async def show_move(request: Request) -> Response:
    """Show the stage of the migration and the next step."""
    account = await own_account(request, authentication.proven_account_of(request).did)
    return page(request, _TEMPLATE, {**await _context(request, account), "typed": EMPTY})


async def change_move(request: Request) -> Response:
    """Handle the buttons of the migration page: start, send a code, enter it, retry, cancel, come back."""
    account = await own_account(request, authentication.proven_account_of(request).did)
    form = posted(request)
    try:
        return redirect_to(PATH, flash=await _act(request, account, form))
    except Failure as failure:
        field = TOKEN if form.get("act") in {"finish", "come_back"} else "target" if form.get("act") == "begin" else ""
        return page_with_failure(request, _TEMPLATE, await _context(request, account), form, failure, field)


async def _act(request: Request, account: Account, form: dict[str, str]) -> str:
    context = services(request).migration
    match form.get("act"):
        case "begin":
            await count(request, account.did, MOVE)
            await actions.begin(context, account.did, _move_request(form))
            return "move_begun"
        case "ask":
            await count(request, account.did, *REQUEST_SIGNATURE)
            await email_changes.send_token(context.registry, account, TokenPurpose.PLC_OPERATION)
            return "mail_sent"
        case "finish":
            await actions.finish(context, account.did, form.get(TOKEN, "").strip() or None)
            return "move_finishing"
        case "come_back":
            await web_moves.come_back(context.registry, account, form.get(TOKEN, "").strip() or None)
            return "activated"
        case "again":
            await actions.try_again(context, account.did)
            return ""
        case "cancel":
            await actions.cancel(context, account.did)
            return "move_cancelled"
        case _:
            raise InvalidInput("", gettext_noop("Press one of the buttons."))


def _move_request(form: dict[str, str]) -> MoveRequest:
    names = {
        "target": gettext_noop("Where do you want to go?"),
        "handle": gettext_noop("Choose a name on the other server."),
        "email": gettext_noop("Type your e-mail address."),
    }
    problems = {name: why for name, why in names.items() if not form.get(name, "").strip()}
    if problems:
        raise InvalidForm(problems)
    return MoveRequest(
        target=form["target"],
        handle=form["handle"].strip().lower().removeprefix("@"),
        email=form["email"].strip(),
        password=form.get("password", ""),
        invite_code=form.get("invite_code", "").strip(),
    )


async def _context(request: Request, account: Account) -> dict[str, object]:
    registry = services(request).registry
    async with registry.db.reader() as reader:
        move = await moves.find(reader, account.did)
        counts = await stored_data.count(reader, account.did)
    return {
        "account": account,
        "move": move,
        "held": counts,
        "can_come_back": await web_moves.has_moved_away(registry, account.did),
        "can_move": is_plc(account.did) or web_identities.is_ours(registry, account.did),
        "sends_mail": registry.sends_mail,
        "now": registry.clock.now(),
    }
