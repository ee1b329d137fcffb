"""Shared form handling of the account pages. An error is shown next to its field, and the typed values are kept."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries
from aurora_locus.accounts.limits import count_request, effective_limit
from aurora_locus.accounts.model import Account
from aurora_locus.i18n.catalogue import ngettext
from aurora_locus.i18n.sentences import too_often
from aurora_locus.web.site.frame import page
from aurora_locus.web.site.services import services
from groundwork.clock import DAY, MINUTE
from groundwork.errors import Failure, InvalidForm, InvalidInput, NotSignedIn, kind_of
from groundwork.http.forms import FormState
from groundwork.i18n.formatting import number
from groundwork.rate_limit.contract import Limit

# The field for the e-mailed token, in every form that asks for one.
TOKEN = "token"  # noqa: S105 - a field's name


def kept_for(microseconds: int) -> str:
    """Return how long a released handle is reserved for its last owner, in words. Empty if it is not reserved."""
    if microseconds >= 2 * DAY:
        days = microseconds // DAY
        return ngettext("%(number)s day", "%(number)s days", days, number=number(days))
    minutes = max(1, microseconds // MINUTE)
    return ngettext("%(number)s minute", "%(number)s minutes", minutes, number=number(minutes)) if microseconds else ""


async def own_account(request: Request, did: Did) -> Account:
    """Return the account with all its columns. Raises Forbidden if it no longer exists."""
    return await queries.require_account(services(request).registry.db, did)


async def count(request: Request, did: Did, *limits: Limit) -> None:
    """Count one request of this account, against the same counters as XRPC methods. Raises RateLimited."""
    registry = services(request).registry
    charges = [(effective_limit(registry, limit), str(did)) for limit in limits]
    await count_request(registry, charges)


def page_with_failure(
    request: Request,
    template: str,
    context: Mapping[str, object],
    form: Mapping[str, str],
    failure: Failure,
    field: str = "",
) -> Response:
    """Show the same page again, with the error at its own field, at the token's field, or otherwise at ``field``."""
    match failure:
        case InvalidForm():
            problems = failure.problems
        case InvalidInput():
            problems = {failure.field or field: failure.why}
        case NotSignedIn(name="InvalidToken" | "ExpiredToken"):
            problems = {TOKEN: failure.why}
        case _:
            problems = {field: too_often(failure)}
    # Status 401 would redirect to the sign-in page, but the person is already signed in.
    status = 400 if isinstance(failure, NotSignedIn) else kind_of(failure).http_status
    form_state = FormState({name: value for name, value in form.items() if name != TOKEN}, problems)
    return page(request, template, {**context, "typed": form_state}, status=status, headers=failure.headers)
