"""SQL for users."""

from collections.abc import Collection, Sequence

from groundwork.clock import Instant
from groundwork.database.bulk import fetch_each
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import Profile, User, UserId, UserKind, leaving

COLUMNS = (
    "id, kind, display_name, email, bio, time_zone, language, revision, created_at, shows_about, shows_groups,"
    " week_start, wants_suggestions, enter_sends, portrait_key"
)


def user_of(row: Row) -> User:
    """Parse a row with ``COLUMNS``."""
    return User(
        id=UserId(row["id"]),
        kind=UserKind(row["kind"]),
        display_name=row["display_name"],
        email=row["email"],
        bio=row["bio"],
        time_zone=row["time_zone"],
        language=row["language"],
        revision=row["revision"],
        created_at=row["created_at"],
        shows_about=bool(row["shows_about"]),
        shows_groups=bool(row["shows_groups"]),
        week_start=row["week_start"],
        wants_suggestions=bool(row["wants_suggestions"]),
        enter_sends=bool(row["enter_sends"]),
        portrait=row["portrait_key"],
    )


async def by_id(reader: Reader, user_id: UserId) -> User | None:
    row = await reader.fetch_one(f"select {COLUMNS} from users where id = :id", id=user_id)
    return user_of(row) if row else None


async def lock(tx: Transaction, user_id: UserId) -> None:
    """Lock the user's row, to compare before writing any of their data."""
    await tx.execute("update users set id = id where id = :id", id=user_id)


async def set_enter_sends(tx: Transaction, user_id: UserId, *, sends: bool) -> None:
    """Choose whether Enter sends a chat message."""
    await tx.execute("update users set enter_sends = :sends where id = :id", id=user_id, sends=int(sends))


async def set_wants_suggestions(tx: Transaction, user_id: UserId, *, wanted: bool) -> None:
    """Turn suggestions of events on or off."""
    await tx.execute("update users set wants_suggestions = :wanted where id = :id", id=user_id, wanted=int(wanted))


async def by_email(reader: Reader, email: str) -> User | None:
    row = await reader.fetch_one(f"select {COLUMNS} from users where email = :email", email=email)
    return user_of(row) if row else None


async def note_seen(tx: Transaction, user_id: UserId, day: Instant) -> None:
    """Note that the user was active on the day that begins at this instant. Nothing more precise is stored."""
    await tx.execute(
        "update users set seen_at = :day where id = :id and coalesce(seen_at, 0) < :day", id=user_id, day=day
    )


async def insert(
    tx: Transaction,
    user_id: UserId,
    kind: UserKind,
    *,
    display_name: str,
    email: str | None,
    time_zone: str | None = None,
) -> bool:
    """Insert a user. False if the e-mail address is taken."""
    made = await tx.execute(
        """
        insert into users (id, kind, display_name, email, bio, time_zone, revision, created_at, updated_at)
        values (:id, :kind, :display_name, :email, '', :time_zone, 1, :now, :now)
            on conflict (email) do nothing
        """,
        id=user_id,
        kind=kind.value,
        display_name=display_name,
        email=email,
        time_zone=time_zone,
        now=tx.now,
    )
    return made == 1


async def insert_shadows(tx: Transaction, ids: Sequence[UserId]) -> None:
    """Insert shadow accounts, about which only the DID is known."""
    await fetch_each(tx, _INSERT_SHADOWS, [{"id": user_id} for user_id in ids], now=tx.now)


_INSERT_SHADOWS = """
    insert into users (id, kind, display_name, email, bio, time_zone, revision, created_at, updated_at)
    select given.id, 'shadow', '', null, '', null, 1, cast(:now as bigint), cast(:now as bigint)
      from each(id text) as given where 1 = 1
"""


async def kinds(reader: Reader, user_ids: Collection[UserId]) -> dict[UserId, UserKind]:
    """The kinds of these users; merged rows are missing."""
    if not user_ids:
        return {}
    rows = await reader.fetch("select id, kind from users where id in :ids order by id", ids=sorted(user_ids))
    return {UserId(row["id"]): UserKind(row["kind"]) for row in rows}


async def claim(tx: Transaction, user_id: UserId, display_name: str) -> int:
    """Turn a shadow account into a person, because its owner signed in. A name that is already set stays."""
    return await tx.execute(
        """
        update users
           set kind = 'person', claimed_at = coalesce(claimed_at, :now), revision = revision + 1, updated_at = :now,
               display_name = case when display_name = '' then :display_name else display_name end
         where id = :id and kind = 'shadow'
        """,
        id=user_id,
        display_name=display_name,
        now=tx.now,
    )


async def take_email(tx: Transaction, user_id: UserId, email: str) -> bool:
    """Set a proven address that belongs to nobody. False if the user already has one."""
    updated = await tx.execute(
        "update users set email = :email, revision = revision + 1, updated_at = :now"
        " where id = :id and email is null and kind = 'person'",
        id=user_id,
        email=email,
        now=tx.now,
    )
    return updated == 1


async def replace_email(tx: Transaction, user_id: UserId, email: str) -> str | None:
    """Replace a person's address with a proven one that belongs to nobody. Return the former address, None if they had
    none.
    """
    await lock(tx, user_id)
    user = await by_id(tx, user_id)
    if user is None or user.kind is not UserKind.PERSON or user.email is None:
        return None
    await tx.execute(
        "update users set email = :email, revision = revision + 1, updated_at = :now where id = :id",
        id=user_id,
        email=email,
        now=tx.now,
    )
    return user.email


async def blank_shadow(tx: Transaction, user_id: UserId) -> None:
    await tx.execute(
        "update users set display_name = '', bio = '', updated_at = :now where id = :id and kind = 'shadow'",
        id=user_id,
        now=tx.now,
    )


async def blank(tx: Transaction, user_id: UserId) -> None:
    """Delete all personal data of a user whose account is gone."""
    await tx.execute(
        "update users set display_name = '', bio = '', time_zone = null, week_start = null, language = null,"
        " portrait_key = null, revision = revision + 1, updated_at = :now where id = :id and (display_name <> ''"
        " or bio <> '' or time_zone is not null or week_start is not null or language is not null"
        " or portrait_key is not null)",
        id=user_id,
        now=tx.now,
    )


async def update_profile(
    tx: Transaction,
    user_id: UserId,
    profile: Profile,
    *,
    expected_revision: int | None,
) -> User | None:
    """Update a profile and return the user. None if there is no such user or the revision is not the expected one."""
    row = await tx.fetch_one(
        f"""
        update users
           set display_name = :display_name, bio = :bio, time_zone = :time_zone, language = :language,
               revision = revision + 1, shows_about = :shows_about, shows_groups = :shows_groups, updated_at = :now
         where id = :id and revision = coalesce(cast(:expected as bigint), revision)
        returning {COLUMNS}
        """,
        id=user_id,
        expected=expected_revision,
        display_name=profile.display_name,
        bio=profile.bio,
        time_zone=profile.time_zone,
        language=profile.language,
        shows_about=int(profile.shows_about),
        shows_groups=int(profile.shows_groups),
        now=tx.now,
    )
    return user_of(row) if row else None


async def set_time_zone(tx: Transaction, user_id: UserId, time_zone: str) -> None:
    await tx.execute(
        "update users set time_zone = :time_zone, revision = revision + 1, updated_at = :now where id = :id",
        id=user_id,
        time_zone=time_zone,
        now=tx.now,
    )


async def set_week_start(tx: Transaction, user_id: UserId, week_start: int | None) -> None:
    """Set the weekday with which the user's calendar week begins. None means the usual first weekday in the country of
    their time zone.
    """
    await tx.execute("update users set week_start = :week_start where id = :id", id=user_id, week_start=week_start)


async def set_portrait(tx: Transaction, user_id: UserId, key: str | None) -> None:
    """Show the picture with this key as the person's portrait, or none."""
    await tx.execute(
        "update users set portrait_key = :key, revision = revision + 1, updated_at = :now"
        " where id = :id and (portrait_key is not null or cast(:key as text) is not null)",
        key=key,
        id=user_id,
        now=tx.now,
    )


async def language_of(reader: Reader, user_id: UserId) -> str | None:
    """The language that a user chose or in which a guest answered. None if neither is known."""
    row = await reader.fetch_one(
        "select coalesce(guests.language, users.language) as language from users"
        " left join guests on guests.user_id = users.id where users.id = :id",
        id=user_id,
    )
    return row["language"] if row else None


async def language_at(reader: Reader, email: str) -> str | None:
    """Like ``language_of``, for the person with this address."""
    row = await reader.fetch_one(
        "select language from users where email = :email union all select language from guests where email = :email",
        email=email,
    )
    return row["language"] if row else None


async def names(reader: Reader, user_ids: Sequence[UserId], *, with_leaving: bool = False) -> dict[UserId, str]:
    """Display names of several users in one statement.

    Nobody may see the names of people who are deleting their account: they are replaced by ``leaving``. Only the site's
    moderators, who decide about them, see their names (``with_leaving``).
    """
    if not user_ids:
        return {}
    hidden = "0" if with_leaving else f"case when {is_leaving('u.id')} then 1 else 0 end"
    rows = await reader.fetch(
        f"select u.id, u.display_name, {hidden} as hidden from users u where u.id in :user_ids order by u.id",
        user_ids=list(user_ids),
    )
    return {UserId(row["id"]): leaving() if row["hidden"] else row["display_name"] for row in rows}


async def delete_user(tx: Transaction, user_id: UserId) -> None:
    """Delete an imported user. Raises ForeignKeyViolated if something still refers to them."""
    await tx.execute("delete from users where id = :id", id=user_id)
