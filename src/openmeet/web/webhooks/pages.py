"""Webhooks page: register, switch on and off, test, list deliveries."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import Failure, Forbidden, InvalidForm, InvalidInput, NotFound, Refused
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.groups.membership_queries import of_user as groups_of
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.webhooks import actions, model, queries
from openmeet.domain.webhooks.model import WEBHOOK_EVENT_LABELS, DeliveryId, DeliveryState, WebhookReason
from openmeet.i18n.catalogue import LazyText, plazy
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.webhooks.api import group_of_webhook, id_of, reach_of, register_webhook, sealer_of

PATH: Final = "/settings/webhooks"
_SHOWN: Final = 50
_MAX_GROUPS: Final = 100
_STATE_LABELS: Final[Mapping[DeliveryState, LazyText]] = {
    DeliveryState.WAITING: plazy("state of a delivery", "waiting"),
    DeliveryState.SENDING: plazy("state of a delivery", "being sent"),
    DeliveryState.ARRIVED: plazy("state of a delivery", "arrived"),
    DeliveryState.FAILED: plazy("state of a delivery", "failed"),
    DeliveryState.DROPPED: plazy("state of a delivery", "nothing to send"),
}


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(PATH, register, methods=["POST"]),
        Route(f"{PATH}/{{id}}", show_one, methods=["GET"]),
        Route(f"{PATH}/{{id}}", change, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    return await _webhooks_page(request, EMPTY)


async def register(request: Request) -> Response:
    """Register a webhook and show its secret in the response to the form itself, which is never cached."""
    form = await read_form(request)
    try:
        kinds = [kind.value for kind in WEBHOOK_EVENT_LABELS if _kind_field(kind.value) in form]
        if not kinds:
            raise InvalidForm({"kinds": WebhookReason.KIND_NEEDED})  # noqa: TRY301  # the rule names kinds as the API does
        url, checked_kinds = model.check_url(form.get("url", ""), reach_of(request)), model.check_kinds(kinds)
        async with database_of(request).transaction() as tx:
            webhook, secret = await register_webhook(tx, request, url, checked_kinds, form.get("group", ""))
    except InvalidForm as wrong:
        return await _webhooks_page(request, form_with_problems(form, wrong), status=400)
    except (Refused, NotFound, Forbidden) as refused:
        return await _webhooks_page(request, form_with_problems(form, InvalidForm({"group": refused.why})), status=422)
    return await _webhooks_page(request, EMPTY, secret=secret, new_webhook_url=webhook.url)


async def show_one(request: Request) -> Response:
    return await _webhook_page(request)


async def change(request: Request) -> Response:
    """Carry out the action of a button: on, off, new secret, test, send again, remove."""
    caller, form, secret = caller_of(request), await read_form(request), ""
    try:
        async with database_of(request).transaction() as tx:
            webhook = await actions.lock_own(tx, caller, id_of(request))
            match form.get("do", ""):
                case "on" | "off" as wish:
                    await actions.change(tx, webhook, url=webhook.url, kinds=webhook.kinds, is_on=wish == "on")
                    flash = f"webhook_{wish}"
                case "renew":
                    _, secret = await actions.renew_secret(tx, sealer_of(request), webhook)
                    flash = "webhook_sent"
                case "ping":
                    await actions.ping(tx, webhook)
                    flash = "webhook_sent"
                case "resend":
                    await actions.send_again(tx, webhook, DeliveryId(form.get("delivery", "")))
                    flash = "webhook_sent"
                case "remove":
                    await actions.remove(tx, webhook)
                    flash = "webhook_removed"
                case _:
                    # Rolls back the transaction, as the other actions do on error.
                    raise InvalidInput("do", WebhookReason.UNKNOWN_BUTTON)
    except Refused as refused:
        return await _webhook_page(request, problem=refused, status=422)
    if secret:
        return await _webhooks_page(request, EMPTY, secret=secret, new_webhook_url=webhook.url)
    return go(PATH if flash == "webhook_removed" else request.url.path, flash=flash)


async def _webhook_page(request: Request, *, problem: Failure | None = None, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        webhook = await actions.own(reader, caller_of(request), id_of(request))
        deliveries = await queries.deliveries(reader, webhook.id, before=None, limit=_SHOWN)
        group = await group_of_webhook(reader, webhook)
        now = reader.now
    context = {
        "webhook": webhook,
        "kinds": [label for kind, label in WEBHOOK_EVENT_LABELS.items() if kind in webhook.kinds],
        "deliveries": deliveries,
        "state_labels": _STATE_LABELS,
        "group": group,
        "now": now,
        "problem": problem.why if problem else "",
    }
    return page(request, "webhooks/webhook.html", context, status=status)


async def _webhooks_page(
    request: Request, form_state: FormState, *, secret: str = "", new_webhook_url: str = "", status: int = 200
) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        webhooks = await queries.of_user(reader, caller.user_id)
        groups = await groups_of(reader, caller.user_id, limit=_MAX_GROUPS)
    context = {
        "typed": form_state,
        "webhooks": webhooks,
        "secret": secret,
        "made": new_webhook_url,
        "kinds": [(_kind_field(kind.value), words, "") for kind, words in WEBHOOK_EVENT_LABELS.items()],
        "groups": [one.group for one in groups if group_rules.may(one.role, GroupPermission.EDIT_GROUP)],
    }
    return page(request, "webhooks/webhooks.html", context, status=status, headers={"cache-control": "no-store"})


def _kind_field(kind: str) -> str:
    return f"kind_{kind.partition('.')[0]}"
