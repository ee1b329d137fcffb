"""Private preferences of an app's user: a list of objects per namespace, replaced as a whole.

Values are stored as received. A date of birth is visible only to sessions of the account's own password. Values that
the server derives itself are not accepted from an app.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from at_protocol.data import json_form
from at_protocol.syntax.did import Did
from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Database, Writer
from groundwork.errors import InvalidInput, TooLarge
from groundwork.threads import compute

MAX_BYTES = 256 * 1024

# Birth dates, which not every app with an app password may see.
_PERSONAL_DETAILS: Final = "app.bsky.actor.defs#personalDetailsPref"
_DECLARED_AGE: Final = "app.bsky.actor.defs#declaredAgePref"
FULL_ACCESS_ONLY = frozenset({_PERSONAL_DETAILS})
READ_ONLY = frozenset({_DECLARED_AGE})

# The app view shows content by these ages.
_AGES = (13, 16, 18)

_LIST = "select name, value from preferences where did = :did order by position"
_DELETE = "delete from preferences where did = :did"
_INSERT = "insert into preferences (did, position, name, value) values (:did, :position, :name, :value)"


async def read(db: Database, did: Did, namespace: str | None) -> list[Any]:
    """Return the preferences of a namespace (or, for the owner's data export, all) in the order in which they were
    sent, as JSON values.
    """
    async with db.reader() as reader:
        rows = await reader.fetch(_LIST, did=did)
    texts = [row["value"] for row in rows if namespace is None or _is_within(row["name"], namespace)]
    return await compute(sum(map(len, texts)), _decoded, texts)


def _decoded(texts: Sequence[str]) -> list[Any]:
    return [json_form.to_json(json_form.decode(text)) for text in texts]


async def read_with_age(db: Database, did: Did, namespace: str, *, now: Instant, has_full_access: bool) -> list[Any]:
    """Return the preferences as an app sees them: with the age groups (``declaredAgePref``) that follow from the date of
    birth, which only sessions of the account's own password may see.
    """
    values = await read(db, did, namespace)
    born = next((value.get("birthDate") for value in values if value["$type"] == _PERSONAL_DETAILS), None)
    if born:
        age = _age(born, now)
        values.append({"$type": _DECLARED_AGE, **{f"isOverAge{limit}": age >= limit for limit in _AGES}})
    return [value for value in values if has_full_access or value["$type"] not in FULL_ACCESS_ONLY]


def _age(born: object, now: Instant) -> int:
    """Return the age in years; -1 if the date of birth is not a date."""
    try:
        birthday = datetime.fromisoformat(str(born)[:10])
    except ValueError:
        return -1
    today = datetime.fromtimestamp(now / SECOND, UTC)
    return today.year - birthday.year - ((today.month, today.day) < (birthday.month, birthday.day))


def check_values(values: Sequence[Any], namespace: str, *, has_full_access: bool) -> list[tuple[str, str]]:
    """Validate the values and return the name and text of each one to store. Raises InvalidInput or TooLarge.
    Writes nothing.
    """
    checked_values = []
    for value in values:
        name = value.get("$type") if isinstance(value, Mapping) else None
        if not isinstance(name, str) or not _is_within(name, namespace):
            raise InvalidInput("preferences", f"Each preference must have a $type that begins with {namespace}.")
        if name in READ_ONLY:
            continue
        if name in FULL_ACCESS_ONLY and not has_full_access:
            raise InvalidInput("preferences", f"An app password cannot set {name}.")
        checked_values.append((name, json_form.encode(value).decode()))
    if sum(len(text.encode()) for _, text in checked_values) > MAX_BYTES:
        raise TooLarge(f"All preferences together can have at most {MAX_BYTES} bytes.")
    return checked_values


def replace(w: Writer, did: Did, namespace: str, values: Sequence[tuple[str, str]], *, has_full_access: bool) -> None:
    """Replace all values in the namespace that the session may see. Values that it may not see are kept."""
    preferences_to_keep = [
        (row["name"], row["value"])
        for row in w.fetch(_LIST, did=did)
        if not _is_within(row["name"], namespace) or (row["name"] in FULL_ACCESS_ONLY and not has_full_access)
    ]
    w.execute(_DELETE, did=did)
    rows = [
        {"did": did, "position": position, "name": name, "value": value}
        for position, (name, value) in enumerate([*preferences_to_keep, *values])
    ]
    if rows:
        w.execute_many(_INSERT, rows)


def _is_within(name: str, namespace: str) -> bool:
    return name == namespace or name.startswith(f"{namespace}.")
