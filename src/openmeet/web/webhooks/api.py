"""Webhooks, as JSON: registration, subscriptions, deliveries."""

from typing import ClassVar, Final
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidInput, Unavailable
from groundwork.http.json_bodies import json_response, read_json
from groundwork.http.reach import DEVELOPMENT, PUBLIC, AllowedTargets
from groundwork.sealing import Sealer
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.groups.model import Group, GroupId, GroupSlug
from openmeet.domain.groups.queries import by_id as group_by_id
from openmeet.domain.groups.queries import role_in
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.paging import DEFAULT_LIMIT, MAX_LIMIT
from openmeet.domain.users.model import Caller
from openmeet.domain.validation import GeneralReason
from openmeet.domain.webhooks import actions, model, queries
from openmeet.domain.webhooks.model import (
    MAX_WEBHOOKS,
    DeliveryId,
    DeliveryState,
    Webhook,
    WebhookDelivery,
    WebhookEvent,
    WebhookId,
    WebhookReason,
)
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.i18n.reasons.messages import explain
from openmeet.web.api.etags import IF_MATCH, etag_of, require_match
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, limit_of, paging
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_RECEIVER: Final = "https://program.example/from-openmeet"


class WebhookInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A URL and the events to subscribe to. ``group`` is the slug of a group that the caller runs. Without it, the
    webhook covers the caller's own events.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {"url": _RECEIVER, "kinds": ["event.changed", "answer.changed"]}

    url: str
    kinds: list[WebhookEvent]
    group: str | None = None


class WebhookEdit(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Changes to an existing webhook. ``isOn`` switches it on or off."""

    EXAMPLE: ClassVar[dict[str, object]] = {"url": _RECEIVER, "kinds": ["event.changed"], "isOn": True}

    url: str
    kinds: list[WebhookEvent]
    is_on: bool = True


class WebhookOutput(msgspec.Struct, rename="camel"):
    """A webhook. ``offWhy`` says why it is off. ``failingSince`` is null unless the last delivery failed."""

    id: str
    url: str
    kinds: list[WebhookEvent]
    group: str | None
    is_on: bool
    off_why: str
    failing_since: str | None
    revision: int
    created_at: str


class WebhookMade(WebhookOutput, rename="camel"):
    """A new webhook, or one with a new secret. ``secret`` signs deliveries (Standard Webhooks) and is shown only in
    this response.
    """

    secret: str


class WebhookList(msgspec.Struct, rename="camel"):
    """The webhooks of the caller, newest first. ``cursor`` is null on the last page."""

    webhooks: list[WebhookOutput]
    cursor: str | None


class DeliveryOutput(msgspec.Struct, rename="camel"):
    """A delivery. ``status`` is the last HTTP status, ``why`` the error."""

    id: str
    kind: WebhookEvent
    state: DeliveryState
    tries: int
    status: int | None
    why: str
    created_at: str
    settled_at: str | None


class DeliveryList(msgspec.Struct, rename="camel"):
    """One page of deliveries, newest first. ``cursor`` is null on the last page."""

    deliveries: list[DeliveryOutput]
    cursor: str | None


async def list_webhooks(request: Request) -> Response:
    page = paging(request)
    async with database_of(request).reader() as reader:
        read = await queries.of_user(reader, caller_of(request).user_id, page)
        webhooks, cursor = page.cut(read, lambda one: (one.created_at, one.id))
        return json_response(WebhookList([await webhook_output(reader, one) for one in webhooks], cursor))


async def register(request: Request) -> Response:
    body = await read_json(request, WebhookInput)
    url, kinds = model.check_url(body.url, reach_of(request)), model.check_kinds(body.kinds)
    async with database_of(request).transaction() as tx:
        webhook, secret = await register_webhook(tx, request, url, kinds, body.group or "")
        output = WebhookMade(**msgspec.structs.asdict(await webhook_output(tx, webhook)), secret=secret)
    address = f"/api/webhooks/{quote(webhook.id)}"
    return json_response(output, 201, {**etag_of(webhook.revision), "location": address, "cache-control": "no-store"})


async def register_webhook(
    tx: Transaction, request: Request, url: str, kinds: frozenset[WebhookEvent], group: str
) -> tuple[Webhook, str]:
    """Register a webhook for the caller or for a group that they run. Returns it with its secret."""
    caller = caller_of(request)
    group_id = await _group_id(tx, caller, group) if group else None
    return await actions.register(tx, caller, sealer_of(request), url=url, kinds=kinds, group_id=group_id)


async def show(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        webhook = await actions.own(reader, caller_of(request), id_of(request))
        return json_response(await webhook_output(reader, webhook), headers=etag_of(webhook.revision))


async def save(request: Request) -> Response:
    body = await read_json(request, WebhookEdit)
    url, kinds = model.check_url(body.url, reach_of(request)), model.check_kinds(body.kinds)
    async with database_of(request).transaction() as tx:
        webhook = await actions.lock_own(tx, caller_of(request), id_of(request))
        require_match(request, webhook.revision)
        saved = await actions.change(tx, webhook, url=url, kinds=kinds, is_on=body.is_on)
        return json_response(await webhook_output(tx, saved), headers=etag_of(saved.revision))


async def remove(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        webhook = await actions.lock_own(tx, caller_of(request), id_of(request))
        require_match(request, webhook.revision)
        await actions.remove(tx, webhook)
    return Response(status_code=204)


async def renew_secret(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        webhook = await actions.lock_own(tx, caller_of(request), id_of(request))
        require_match(request, webhook.revision)
        renewed, secret = await actions.renew_secret(tx, sealer_of(request), webhook)
        output = WebhookMade(**msgspec.structs.asdict(await webhook_output(tx, renewed)), secret=secret)
    return json_response(output, headers={**etag_of(renewed.revision), "cache-control": "no-store"})


async def ping(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        webhook = await actions.own(tx, caller_of(request), id_of(request))
        return json_response(_delivery(await actions.ping(tx, webhook)), 202)


async def list_deliveries(request: Request) -> Response:
    limit, before = limit_of(request, DEFAULT_LIMIT, MAX_LIMIT), request.query_params.get("cursor", "")
    if len(before) > 36 or not all(char in "0123456789abcdef-" for char in before):
        raise InvalidInput("cursor", GeneralReason.INVALID_CURSOR, name="InvalidCursor")
    async with database_of(request).reader() as reader:
        webhook = await actions.own(reader, caller_of(request), id_of(request))
        deliveries = await queries.deliveries(
            reader, webhook.id, before=DeliveryId(before) if before else None, limit=limit + 1
        )
    cursor = deliveries[limit - 1].id if len(deliveries) > limit else None
    return json_response(DeliveryList([_delivery(one) for one in deliveries[:limit]], cursor))


async def send_again(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        webhook = await actions.own(tx, caller_of(request), id_of(request))
        delivery = await actions.send_again(tx, webhook, DeliveryId(request.path_params["deliveryId"]))
    return json_response(_delivery(delivery), 202)


def id_of(request: Request) -> WebhookId:
    """The webhook id in the path."""
    return WebhookId(request.path_params["id"])


def sealer_of(request: Request) -> Sealer:
    """The sealer for webhook secrets. Raises Unavailable if this site sends no webhooks."""
    fetcher = services(request).calendar_fetcher
    if fetcher is None:
        raise Unavailable(WebhookReason.CALLS_NO_ADDRESSES)
    return fetcher.sealer


def reach_of(request: Request) -> AllowedTargets:
    """The destinations that are allowed. The same rule applies at delivery."""
    return DEVELOPMENT if services(request).settings.allow_private_addresses else PUBLIC


async def webhook_output(reader: Reader, webhook: Webhook) -> WebhookOutput:
    """A webhook as its owner sees it, without its secret."""
    group = await group_of_webhook(reader, webhook)
    return WebhookOutput(
        id=webhook.id,
        url=webhook.url,
        kinds=[kind for kind in WebhookEvent if kind in webhook.kinds],
        group=group.slug if group else None,
        is_on=webhook.is_on,
        off_why=explain(webhook.off_why),
        failing_since=iso_or_none(webhook.failing_since),
        revision=webhook.revision,
        created_at=iso(webhook.created_at),
    )


async def group_of_webhook(reader: Reader, webhook: Webhook) -> Group | None:
    """The group of a webhook. None if there is none, or if its owner may no longer see it: its name and slug may have
    changed since they left it.
    """
    group = await group_by_id(reader, GroupId(webhook.group_id)) if webhook.group_id else None
    role = None if group is None else await role_in(reader, group.id, webhook.user_id)
    if group is None or not (group_rules.may_see(group, role) and group_rules.may_find_by_id(group, role)):
        return None
    return group


async def _group_id(tx: Transaction, caller: Caller, slug: str) -> str:
    group, membership = await group_actions.visible(tx, GroupSlug(slug), caller.user_id)
    group_rules.require_permission(membership.role if membership else None, GroupPermission.EDIT_GROUP)
    return group.id


def _delivery(delivery: WebhookDelivery) -> DeliveryOutput:
    return DeliveryOutput(
        id=delivery.id,
        kind=delivery.kind,
        state=delivery.state,
        tries=delivery.tries,
        status=delivery.status,
        why=explain(delivery.why),
        created_at=iso(delivery.created_at),
        settled_at=iso_or_none(delivery.settled_at),
    )


_ONE = "/api/webhooks/{id}"

OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/webhooks",
        "listWebhooks",
        f"Your webhooks, at most {MAX_WEBHOOKS}",
        list_webhooks,
        {200: WebhookList},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "POST",
        "/api/webhooks",
        "registerWebhook",
        "Register a webhook, which receives signed messages. Its secret is shown only once",
        register,
        {201: WebhookMade},
        WebhookInput,
        failures=(403, 404, 422),
    ),
    ApiOperation("GET", _ONE, "showWebhook", "One webhook", show, {200: WebhookOutput}, failures=(404,)),
    ApiOperation(
        "PUT",
        _ONE,
        "saveWebhook",
        "Change the URL or the event types of a webhook, or switch it on or off",
        save,
        {200: WebhookOutput},
        WebhookEdit,
        (IF_MATCH,),
        failures=(404, 412),
    ),
    ApiOperation(
        "DELETE",
        _ONE,
        "removeWebhook",
        "Delete a webhook and its deliveries",
        remove,
        {204: None},
        None,
        (IF_MATCH,),
        failures=(404, 412),
    ),
    ApiOperation(
        "POST",
        f"{_ONE}/secret",
        "renewWebhookSecret",
        "Replace the secret, which is shown only once. Messages are signed with the new one from then on",
        renew_secret,
        {200: WebhookMade},
        None,
        (IF_MATCH,),
        failures=(404, 412),
    ),
    ApiOperation(
        "POST",
        f"{_ONE}/ping",
        "pingWebhook",
        "Send a test message",
        ping,
        {202: DeliveryOutput},
        failures=(404, 422),
    ),
    ApiOperation(
        "GET",
        f"{_ONE}/deliveries",
        "listDeliveries",
        "Deliveries of the last month, newest first",
        list_deliveries,
        {200: DeliveryList},
        parameters=(CURSOR, LIMIT),
        failures=(404,),
    ),
    ApiOperation(
        "POST",
        f"{_ONE}/deliveries/{{deliveryId}}/resend",
        "resendDelivery",
        "Resend a message, with the current state of its subject",
        send_again,
        {202: DeliveryOutput},
        failures=(404, 422),
    ),
)
