"""All SQL of people."""

from collections.abc import Sequence

from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.users.model import User, UserId, UserKind

COLUMNS = "id, kind, display_name, email, bio, time_zone, revision, created_at"


def user_of(row: Row) -> User:
    """The model value of a row that has ``COLUMNS``."""
    return User(
        id=UserId(row["id"]),
        kind=UserKind(row["kind"]),
        display_name=row["display_name"],
        email=row["email"],
        bio=row["bio"],
        time_zone=row["time_zone"],
        revision=row["revision"],
        created_at=row["created_at"],
    )


async def by_id(reader: Reader, user_id: UserId) -> User | None:
    row = await reader.fetch_one(f"select {COLUMNS} from users where id = :id", id=user_id)
    return user_of(row) if row else None


async def by_email(reader: Reader, email: str) -> User | None:
    row = await reader.fetch_one(f"select {COLUMNS} from users where email = :email", email=email)
    return user_of(row) if row else None


async def insert(tx: Transaction, user_id: UserId, kind: UserKind, *, display_name: str, email: str | None) -> bool:
    """False when somebody has this e-mail address already."""
    made = await tx.execute(
        """
        insert into users (id, kind, display_name, email, bio, time_zone, revision, created_at, updated_at)
        values (:id, :kind, :display_name, :email, '', null, 1, :now, :now)
            on conflict (email) do nothing
        """,
        id=user_id,
        kind=kind.value,
        display_name=display_name,
        email=email,
        now=tx.now,
    )
    return made == 1


async def claim(tx: Transaction, user_id: UserId, display_name: str) -> int:
    """Somebody signed in as this shadow: it is a person from now on. Names already chosen stay."""
    return await tx.execute(
        """
        update users
           set kind = 'person', revision = revision + 1, updated_at = :now,
               display_name = case when display_name = '' then :display_name else display_name end
         where id = :id and kind = 'shadow'
        """,
        id=user_id,
        display_name=display_name,
        now=tx.now,
    )


async def blank_shadow(tx: Transaction, user_id: UserId) -> None:
    await tx.execute(
        "update users set display_name = '', bio = '', updated_at = :now where id = :id and kind = 'shadow'",
        id=user_id,
        now=tx.now,
    )


async def update_profile(
    tx: Transaction,
    user_id: UserId,
    *,
    display_name: str,
    bio: str,
    time_zone: str | None,
    expected_revision: int | None,
) -> User | None:
    """The person afterwards; None where there is no such person, or another revision than the expected one."""
    row = await tx.fetch_one(
        f"""
        update users
           set display_name = :display_name, bio = :bio, time_zone = :time_zone, revision = revision + 1,
               updated_at = :now
         where id = :id and revision = coalesce(cast(:expected as bigint), revision)
        returning {COLUMNS}
        """,
        id=user_id,
        expected=expected_revision,
        display_name=display_name,
        bio=bio,
        time_zone=time_zone,
        now=tx.now,
    )
    return user_of(row) if row else None


async def names(reader: Reader, user_ids: Sequence[UserId]) -> dict[UserId, str]:
    """Display names of several people in one statement."""
    if not user_ids:
        return {}
    rows = await reader.fetch(
        "select id, display_name from users where id in :user_ids order by id", user_ids=list(user_ids)
    )
    return {UserId(row["id"]): row["display_name"] for row in rows}
