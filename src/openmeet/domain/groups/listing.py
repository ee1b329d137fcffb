"""Lists of groups: search, one's own. SQL."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.database.transaction import Reader
from openmeet.domain.groups.model import INSIDE, Group, Role
from openmeet.domain.groups.queries import COLUMNS, group_of, is_hidden
from openmeet.domain.moderation.blocks import is_out_of_lists
from openmeet.domain.users.model import UserId
from openmeet.i18n.markdown import folded

_INSIDE = [role.value for role in INSIDE]

# Where nobody asked for anything, a group that is kept elsewhere is listed when somebody who signs in here belongs to it, or asked
# to: records are free, and whoever writes thousands is not to fill everybody's list. A search finds all, as it does of events.
IS_KNOWN = (
    "(g.is_read_only = 0 or exists (select 1 from group_members km join users ku on ku.id = km.user_id and ku.kind = 'person'"
    " where km.group_id = g.id and km.role in ('member', 'pending')))"
)

# The account that holds a group kept elsewhere waits as a newcomer, or is hidden: as events of it are.
_WAITS = (
    "(g.is_read_only = 1 and exists (select 1 from identities wi join moderation_states ws on ws.subject = wi.did"
    " where wi.user_id = g.owner_id and ws.state <> 'trusted'))"
)

# More words than anybody searches for; each is one `like` over the same rows.
_MAX_WORDS = 8


@dataclass(frozen=True, slots=True)
class Listed:
    """A group in a list: how many are in it, and how the viewer stands."""

    group: Group
    members: int
    role: Role | None


async def listed(
    reader: Reader,
    words: Sequence[str],
    viewer: UserId | None,
    *,
    after: tuple[str, str] | None,
    limit: int,
    asks_all: bool = False,
    kept_here: bool | None = None,
) -> list[Listed]:
    """Public groups whose text has all these words, by name. ``after``: folded text and id of the last one seen.

    ``asks_all``: also those that are kept elsewhere and that nobody here belongs to; words ask for all, too. ``kept_here``: only those
    that are, or are not.
    """
    clauses = [
        "g.deleted_at is null",
        "g.visibility = 'public'",
        f"not {is_hidden('g')}",
        f"not {_WAITS}" if asks_all or words else IS_KNOWN,
        f"not {is_out_of_lists('g.owner_id', 'g.id')}",
    ]
    values: dict[str, object] = {"viewer": viewer or "", "limit": limit, "inside": _INSIDE}
    if kept_here is not None:
        clauses.append(f"g.is_read_only = {int(not kept_here)}")
    for number, word in enumerate(words[:_MAX_WORDS]):
        clauses.append(f"g.search_text like :word{number} escape '!'")
        values[f"word{number}"] = f"%{_literally(folded(word))}%"
    if after is not None:
        clauses.append("(g.search_text, g.id) > (:after_text, :after_id)")
        values |= {"after_text": after[0], "after_id": after[1]}
    return await _listed(reader, " and ".join(clauses), values)


async def of_user(reader: Reader, user_id: UserId, *, limit: int, after: tuple[str, str] | None = None) -> list[Listed]:
    """Groups that a person is in or has asked to get into, by name; those behind ``after``, a text and an id as rows have them."""
    mine = (
        "exists (select 1 from group_members o where o.group_id = g.id and o.user_id = :viewer and o.role in :standing)"
    )
    values: dict[str, object] = {
        "viewer": user_id,
        "limit": limit,
        "inside": _INSIDE,
        "standing": [*_INSIDE, Role.PENDING.value],
    }
    clauses = ["g.deleted_at is null", mine, f"(not {is_hidden('g')} or m.role in ('owner', 'admin'))"]
    if after is not None:
        clauses.append("(g.search_text, g.id) > (:after_text, :after_id)")
        values |= {"after_text": after[0], "after_id": after[1]}
    return await _listed(reader, " and ".join(clauses), values)


async def _listed(reader: Reader, clause: str, values: dict[str, object]) -> list[Listed]:
    rows = await reader.fetch(
        f"""
        select {COLUMNS}, m.role as my_role,
               (select count(*) from group_members c where c.group_id = g.id and c.role in :inside) as people
          from groups g left join group_members m on m.group_id = g.id and m.user_id = :viewer
         where {clause}
         order by g.search_text, g.id limit :limit
        """,
        **values,
    )
    return [Listed(group_of(row), int(row["people"]), Role(row["my_role"]) if row["my_role"] else None) for row in rows]


def _literally(word: str) -> str:
    """``%`` and ``_`` are characters here, not wildcards."""
    return word.replace("!", "!!").replace("%", "!%").replace("_", "!_")


async def followed_by(reader: Reader, user_id: UserId, *, limit: int) -> list[Listed]:
    """Groups that a person follows without being in them, by name; those that hide from them are left out."""
    followed = "exists (select 1 from group_followers f where f.group_id = g.id and f.user_id = :viewer)"
    outside = "not exists (select 1 from group_members o where o.group_id = g.id and o.user_id = :viewer and o.role in :inside)"
    values: dict[str, object] = {"viewer": user_id, "limit": limit, "inside": _INSIDE}
    return await _listed(
        reader,
        f"g.deleted_at is null and g.visibility <> 'private' and not {is_hidden('g')} and {followed} and {outside}",
        values,
    )
