"""The consent page: asked once, default no; and the same page later, to say yes or to take it back.

What is shown before the yes: the record, the handle, and the words "anyone can read this and copies may remain". The
routes need the PDS that keeps repositories, so ``programs/`` makes them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_network.xrpc_client import XrpcClient
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput, NotFound, Refused
from groundwork.outbox.owe import Debt as OwedDebt
from groundwork.outbox.owe import DebtState, find
from openmeet.debts.kinds import Debt
from openmeet.identities import actions, preferences, queries
from openmeet.identities.custodial import Keeper, check_handle, suggest_handle
from openmeet.identities.model import Consent, Identity, Preview
from openmeet.identities.network import Network
from openmeet.identities.preferences import DeclinedAs, Preferences, UseShown, WaitingAs
from openmeet.site import times
from openmeet.site.forms import Typed, local_path, read_form, typed_again
from openmeet.site.frame import go, page
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of
from openmeet.users.model import Caller, UserId

# What of a person would be published. Bound by `programs/`: only a room above this one can read the events.
PreviewOf = Callable[[Reader, UserId], Awaitable[Preview]]

# Set by whoever starts paying debts in this process, so that a yes is acted on at once.
Wake = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _State:
    consent: Consent
    identity: Identity | None
    owed: OwedDebt | None
    wishes: Preferences
    uses: Sequence[UseShown]
    now: Instant

    @property
    def is_being_made(self) -> bool:
        return (
            self.consent.is_given
            and self.identity is None
            and (self.owed is None or self.owed.state is not DebtState.GIVEN_UP)
        )

    @property
    def problem(self) -> str:
        """Why the repository could not be made; empty when nothing went wrong for good."""
        if self.identity is not None or not self.consent.is_given or self.owed is None:
            return ""
        if self.owed.state is not DebtState.GIVEN_UP:
            return ""
        return self.owed.reason.partition(": ")[2] or self.owed.reason


def routes(network: Network, keeper: Keeper, preview: PreviewOf, wake: Wake = lambda: None) -> list[Route]:
    """The page and its form."""

    async def show(request: Request) -> Response:
        caller = caller_of(request)
        async with database_of(request).reader() as reader:
            state = await _state(reader, caller)
            would = await preview(reader, caller.user_id)
        handle = state.consent.handle or suggest_handle(caller.display_name, caller.user_id, keeper.handle_domain)
        return _show(request, keeper, state, would, Typed({"handle": handle, "publish": "no"}))

    async def answer(request: Request) -> Response:
        caller = caller_of(request)
        typed = await read_form(request)
        async with database_of(request).reader() as reader:
            state = await _state(reader, caller)
            would = await preview(reader, caller.user_id)
        following = local_path(typed.get("next", ""), "/settings/publishing")
        if typed.get("publish") != "yes":
            async with database_of(request).transaction() as tx:
                await actions.withdraw(tx, caller.user_id)
            wake()
            return go(following, said="publishing_off")
        try:
            handle = await _handle_for(network, keeper, state, typed.get("handle", ""))
        except (InvalidInput, Refused) as wrong:
            problem = InvalidInput("handle", wrong.why)
            return _show(request, keeper, state, would, typed_again(typed, problem), status=400)
        async with database_of(request).transaction() as tx:
            await actions.agree(tx, caller.user_id, handle=handle)
        wake()
        return go(following, said="publishing_on")

    async def save_records(request: Request) -> Response:
        caller = caller_of(request)
        typed = await read_form(request)
        async with database_of(request).transaction() as tx:
            await preferences.change(tx, caller.user_id, _wanted(typed))
        wake()
        return go("/settings/publishing", said="record_preferences_saved")

    return [
        Route("/settings/publishing", show, methods=["GET"]),
        Route("/settings/publishing", answer, methods=["POST"]),
        Route("/settings/publishing/records", save_records, methods=["POST"]),
    ]


def _wanted(typed: Mapping[str, str]) -> Preferences:
    """What the form of preferences says; whatever it does not know is as usual."""
    is_unsaid = typed.get("declined_as") == DeclinedAs.NOTHING.value
    shows_waiting = typed.get("waiting_as") == WaitingAs.INTERESTED.value
    return Preferences(
        writes_events=typed.get("writes_events") == "yes",
        writes_answers=typed.get("writes_answers") == "yes",
        declined_as=DeclinedAs.NOTHING if is_unsaid else DeclinedAs.NOT_GOING,
        waiting_as=WaitingAs.INTERESTED if shows_waiting else WaitingAs.NOTHING,
        lets_co_hosts_publish=typed.get("lets_co_hosts_publish") == "yes",
    )


def _records_typed(wanted: Preferences) -> dict[str, str]:
    return {
        "writes_events": "yes" if wanted.writes_events else "",
        "writes_answers": "yes" if wanted.writes_answers else "",
        "declined_as": wanted.declined_as.value,
        "waiting_as": wanted.waiting_as.value,
        "lets_co_hosts_publish": "yes" if wanted.lets_co_hosts_publish else "",
    }


async def _state(reader: Reader, caller: Caller) -> _State:
    mine = [one for one in await queries.of_user(reader, caller.user_id) if one.can_write]
    return _State(
        await queries.consent(reader, caller.user_id),
        mine[0] if mine else None,
        await find(reader, Debt.CUSTODIAL_ACCOUNT, caller.user_id),
        await preferences.of_user(reader, caller.user_id),
        await preferences.uses_shown(reader, caller.user_id),
        reader.now,
    )


async def _handle_for(network: Network, keeper: Keeper, state: _State, typed: str) -> str:
    """The handle they agree to: their own, or a free one on the keeper's domain."""
    if state.identity is not None:
        return state.identity.handle or state.identity.did
    handle = check_handle(typed, keeper.handle_domain)
    if handle == state.consent.handle and not state.problem:
        return handle
    client = XrpcClient(network.http, network.clock, keeper.pds_url)
    try:
        await client.query("com.atproto.identity.resolveHandle", {"handle": handle})
    except NotFound:
        return handle
    except Refused as refused:
        if refused.name in {"HandleNotFound", "InvalidRequest"}:
            return handle
        raise
    except InvalidInput:
        return handle  # servers answer "InvalidRequest: Unable to resolve handle" for a name nobody has
    raise Refused(f"Somebody else is called {handle} already; choose another handle.")


def _show(
    request: Request, keeper: Keeper, state: _State, would: Preview, typed: Typed, *, status: int = 200
) -> Response:
    context = {
        "typed": typed,
        "consent": state.consent,
        "identity": state.identity,
        "is_being_made": state.is_being_made,
        "problem": state.problem,
        "records": Typed(_records_typed(state.wishes)),
        "uses": [(one, times.ago(one.at, state.now)) for one in state.uses],
        "would": would,
        "domain": keeper.handle_domain,
        "next_path": local_path(request.query_params.get("next", typed.value("next")), ""),
    }
    return page(request, "identities/publishing.html", context, status=status)
