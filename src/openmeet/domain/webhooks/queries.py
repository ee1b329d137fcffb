"""SQL for webhooks and deliveries."""

from collections.abc import Collection, Sequence

from groundwork.clock import Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import Explanation, decode_explanation, encode_explanation
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.users.model import UserId
from openmeet.domain.webhooks.model import DeliveryId, DeliveryState, Webhook, WebhookDelivery, WebhookEvent, WebhookId

_COLUMNS = "id, user_id, group_id, url, kinds, sealed_secret, failing_since, off_why, revision, created_at"
_DELIVERY = "id, webhook_id, kind, subject_id, state, tries, status, why, created_at, settled_at, revision"

# Whether any webhook is on. This cheap check avoids looking up recipients.
HAS_ENABLED_WEBHOOK = "exists (select 1 from webhooks where off_why = '')"


def _webhook_of(row: Row) -> Webhook:
    return Webhook(
        WebhookId(row["id"]),
        UserId(row["user_id"]),
        row["group_id"],
        row["url"],
        kinds_in(row["kinds"]),
        bytes(row["sealed_secret"]),
        row["failing_since"],
        decode_explanation(row["off_why"]),
        row["revision"],
        Instant(row["created_at"]),
    )


def _delivery_of(row: Row) -> WebhookDelivery:
    return WebhookDelivery(
        DeliveryId(row["id"]),
        WebhookId(row["webhook_id"]),
        WebhookEvent(row["kind"]),
        row["subject_id"],
        DeliveryState(row["state"]),
        row["tries"],
        row["status"],
        decode_explanation(row["why"]),
        Instant(row["created_at"]),
        row["settled_at"],
        row["revision"],
    )


def kinds_text(kinds: Collection[WebhookEvent]) -> str:
    return " ".join(one.value for one in WebhookEvent if one in kinds)


def kinds_in(text: str) -> frozenset[WebhookEvent]:
    return frozenset(WebhookEvent(word) for word in text.split())


async def is_any_on(reader: Reader) -> bool:
    """Whether any webhook is on."""
    return await reader.fetch_one(f"select 1 as found where {HAS_ENABLED_WEBHOOK}") is not None


async def subscribed_webhooks(
    reader: Reader, kind: WebhookEvent, people: Collection[UserId], group_ids: Collection[str]
) -> list[tuple[WebhookId, UserId, str | None]]:
    """Active webhooks that subscribe to this event and belong to these users themselves or to these groups, with their
    owners.
    """
    rows = await reader.fetch(
        """
        select id, user_id, group_id, kinds from webhooks
         where off_why = '' and ((group_id is null and user_id in :people) or group_id in :group_ids)
         order by id
        """,
        people=sorted(people),
        group_ids=sorted(group_ids),
    )
    return [
        (WebhookId(row["id"]), UserId(row["user_id"]), row["group_id"])
        for row in rows
        if kind in kinds_in(row["kinds"])
    ]


async def insert_deliveries(
    tx: Transaction, kind: WebhookEvent, rows: Sequence[tuple[DeliveryId, WebhookId, str]]
) -> None:
    """Insert deliveries. If one for the same webhook, event and subject is still waiting, it is reused."""
    await tx.execute_many(
        """
        insert into webhook_deliveries
               (id, webhook_id, kind, subject_id, state, tries, status, why, created_at, settled_at, revision)
        values (:id, :webhook_id, :kind, :subject_id, 'waiting', 0, null, '', :now, null, 1)
            on conflict (webhook_id, kind, subject_id) where state = 'waiting' and tries = 0 do nothing
        """,
        [
            {"id": one, "webhook_id": webhook_id, "kind": kind.value, "subject_id": subject_id, "now": tx.now}
            for one, webhook_id, subject_id in rows
        ],
    )


async def insert(tx: Transaction, webhook: Webhook) -> None:
    await tx.execute(
        f"""
        insert into webhooks ({_COLUMNS}, updated_at)
        values (:id, :user_id, :group_id, :url, :kinds, :sealed_secret, null, '', 1, :now, :now)
        """,
        id=webhook.id,
        user_id=webhook.user_id,
        group_id=webhook.group_id,
        url=webhook.url,
        kinds=kinds_text(webhook.kinds),
        sealed_secret=webhook.sealed_secret,
        now=tx.now,
    )


async def by_id(reader: Reader, webhook_id: WebhookId) -> Webhook | None:
    row = await reader.fetch_one(f"select {_COLUMNS} from webhooks where id = :id", id=webhook_id)
    return _webhook_of(row) if row else None


async def of_user(reader: Reader, user_id: UserId, page: Page = ALL_ROWS) -> list[Webhook]:
    """A user's webhooks, newest first."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from webhooks where user_id = :user_id{page.clause('created_at', 'id')}",
        user_id=user_id,
        **page.values,
    )
    return [_webhook_of(row) for row in rows]


async def change(
    tx: Transaction, webhook_id: WebhookId, *, url: str, kinds: Collection[WebhookEvent], off_why: Explanation | None
) -> None:
    """Store the owner's changes. Turning the webhook on again also clears its failures."""
    await tx.execute(
        """
        update webhooks set url = :url, kinds = :kinds, off_why = :off_why, failing_since = null,
               revision = revision + 1, updated_at = :now
         where id = :id
        """,
        id=webhook_id,
        url=url,
        kinds=kinds_text(kinds),
        off_why=encode_explanation(off_why),
        now=tx.now,
    )


async def put_secret(tx: Transaction, webhook_id: WebhookId, sealed_secret: bytes) -> None:
    await tx.execute(
        "update webhooks set sealed_secret = :sealed_secret, revision = revision + 1, updated_at = :now where id = :id",
        id=webhook_id,
        sealed_secret=sealed_secret,
        now=tx.now,
    )


async def lock(tx: Transaction, webhook_id: WebhookId) -> Webhook | None:
    """Lock the row of a webhook until the transaction ends."""
    row = await tx.fetch_one(
        f"update webhooks set updated_at = updated_at where id = :id returning {_COLUMNS}", id=webhook_id
    )
    return _webhook_of(row) if row else None


async def delete(tx: Transaction, webhook_id: WebhookId) -> None:
    await tx.execute("delete from webhook_deliveries where webhook_id = :id", id=webhook_id)
    await tx.execute("delete from webhooks where id = :id", id=webhook_id)


async def begin_attempt(tx: Transaction, delivery_id: DeliveryId) -> WebhookDelivery | None:
    """Start an attempt. Later changes to the subject then make another delivery. None if the delivery is already
    completed.
    """
    row = await tx.fetch_one(
        f"""
        update webhook_deliveries set state = 'sending', tries = tries + 1
         where id = :id and state in ('waiting', 'sending')
        returning {_DELIVERY}
        """,
        id=delivery_id,
    )
    return _delivery_of(row) if row else None


async def end_attempt(
    tx: Transaction, delivery_id: DeliveryId, state: DeliveryState, *, status: int | None, why: Explanation | None
) -> None:
    is_closed = state not in {DeliveryState.WAITING, DeliveryState.SENDING}
    await tx.execute(
        """
        update webhook_deliveries set state = :state, status = :status, why = :why, settled_at = :settled_at
         where id = :id
        """,
        id=delivery_id,
        state=state.value,
        status=status,
        why=encode_explanation(why),
        settled_at=tx.now if is_closed else None,
    )


async def note_failing(tx: Transaction, webhook_id: WebhookId) -> Instant:
    """Note since when deliveries have been failing."""
    row = await tx.fetch_one(
        "update webhooks set failing_since = coalesce(failing_since, :now) where id = :id returning failing_since",
        id=webhook_id,
        now=tx.now,
    )
    return Instant(row["failing_since"]) if row else tx.now


async def note_arrival(tx: Transaction, webhook_id: WebhookId) -> None:
    await tx.execute(
        "update webhooks set failing_since = null where id = :id and failing_since is not null", id=webhook_id
    )


async def switch_off(tx: Transaction, webhook_id: WebhookId, why: Explanation) -> bool:
    """Turn a webhook off. False if it is already off."""
    changed = await tx.execute(
        """
        update webhooks set off_why = :why, revision = revision + 1, updated_at = :now where id = :id and off_why = ''
        """,
        id=webhook_id,
        why=encode_explanation(why),
        now=tx.now,
    )
    return changed == 1


async def delivery(reader: Reader, delivery_id: DeliveryId) -> WebhookDelivery | None:
    row = await reader.fetch_one(f"select {_DELIVERY} from webhook_deliveries where id = :id", id=delivery_id)
    return _delivery_of(row) if row else None


async def deliveries(
    reader: Reader, webhook_id: WebhookId, *, before: DeliveryId | None, limit: int
) -> list[WebhookDelivery]:
    """Deliveries older than ``before``, newest first. Ids are in chronological order."""
    rows = await reader.fetch(
        f"""
        select {_DELIVERY} from webhook_deliveries
         where webhook_id = :webhook_id and id < :before order by id desc limit :limit
        """,
        webhook_id=webhook_id,
        before=before or "g",  # sorts after every hexadecimal digit
        limit=limit,
    )
    return [_delivery_of(row) for row in rows]


async def send_again(tx: Transaction, delivery_id: DeliveryId) -> WebhookDelivery | None:
    """Queue a completed delivery again under the same id."""
    row = await tx.fetch_one(
        f"""
        update webhook_deliveries set state = 'waiting', tries = 1, settled_at = null, revision = revision + 1
         where id = :id and state in ('arrived', 'failed', 'dropped')
        returning {_DELIVERY}
        """,
        id=delivery_id,
    )
    return _delivery_of(row) if row else None


async def forget(tx: Transaction, before: Instant) -> int:
    return await delete_some(tx, "webhook_deliveries", "settled_at < :before", before=before)


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    await tx.execute(
        "update webhooks set user_id = :to_user where user_id = :from_user", to_user=to_user, from_user=from_user
    )
