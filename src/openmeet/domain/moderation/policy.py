"""The moderation policy: limits that can be changed at run time. Each change is logged."""

from dataclasses import fields, replace

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, PreconditionFailed, Why
from openmeet.domain.moderation import audit_log
from openmeet.domain.moderation.audit_log import NewLogEntry
from openmeet.domain.moderation.model import (
    ModeratedKind,
    ModerationAction,
    ModerationActionId,
    ModerationPolicy,
    ModerationReason,
    Subject,
)
from openmeet.domain.users.model import UserId

_NUMBERS = {
    "new_account_days": (1, 365),
    "new_author_minutes": (0, 10_080),
    "most_events_of_author": (1, 100_000),
    "most_authors_of_host": (1, 100_000),
    "most_events_of_host": (1, 1_000_000),
    "most_new_hosts": (1, 100_000),
}
NAMES = ("holds_first_events", *_NUMBERS)
# The policy has one subject: the whole site.
SUBJECT = Subject(ModeratedKind.HOST, "this site")


async def current(reader: Reader) -> ModerationPolicy:
    """The current policy; defaults if nobody has changed it."""
    row = await reader.fetch_one(f"select {', '.join(NAMES)}, revision from moderation_policy where id = 1")
    if row is None:
        return ModerationPolicy()
    numbers = {name: row[name] for name in _NUMBERS}
    return ModerationPolicy(holds_first_events=bool(row["holds_first_events"]), **numbers, revision=row["revision"])


def check(policy: ModerationPolicy) -> ModerationPolicy:
    """Raise InvalidForm with the invalid numbers."""
    problems: dict[str, Why] = {
        name: ModerationReason.NUMBER_OUT_OF_RANGE(least=least, most=most)
        for name, (least, most) in _NUMBERS.items()
        if not least <= getattr(policy, name) <= most
    }
    if problems:
        raise InvalidForm(problems)
    return policy


async def change(
    tx: Transaction,
    policy: ModerationPolicy,
    *,
    by: UserId | None,
    expected_revision: int | None = None,
    undoes: ModerationActionId | None = None,
) -> ModerationPolicy:
    """Store a new policy. An equal one changes nothing. Raises PreconditionFailed if it changed since
    ``expected_revision``.
    """
    before = await current(tx)
    if expected_revision is not None and before.revision != expected_revision:
        raise PreconditionFailed(ModerationReason.CHANGED_SINCE_OPENED)
    after = replace(check(policy), revision=before.revision + 1)
    if replace(after, revision=before.revision) == before:
        return before
    names = ", ".join(NAMES)
    marks = ", ".join(f":{name}" for name in NAMES)
    sets = ", ".join(f"{name} = excluded.{name}" for name in NAMES)
    made = await tx.execute(
        f"""
        insert into moderation_policy (id, {names}, revision) values (1, {marks}, :revision)
            on conflict (id) do update set {sets}, revision = excluded.revision
         where moderation_policy.revision = :before
        """,
        **{name: int(getattr(after, name)) for name in NAMES},
        revision=after.revision,
        before=before.revision,
    )
    if not made:
        raise PreconditionFailed(ModerationReason.CHANGED_SINCE_OPENED)
    await audit_log.add(
        tx, by, [NewLogEntry(ModerationAction.CHANGE_POLICY, SUBJECT, encode(before), encode(after), undoes=undoes)]
    )
    return after


def decode(words: str) -> ModerationPolicy:
    """Decode the policy in a log line."""
    values = dict(part.split("=") for part in words.split())
    numbers = {name: int(values[name]) for name in _NUMBERS}
    return ModerationPolicy(holds_first_events=values["holds_first_events"] == "1", **numbers)


def encode(policy: ModerationPolicy) -> str:
    """Encode the policy for a log line."""
    return " ".join(f"{one.name}={int(getattr(policy, one.name))}" for one in fields(policy) if one.name in NAMES)
