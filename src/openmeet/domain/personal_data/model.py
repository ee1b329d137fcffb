"""Values that describe tables and columns."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class ColumnContent(StrEnum):
    """The kind of data in a column. Everything except ``PLAIN`` is personal data."""

    PERSON = "names a person by id"
    ACCOUNT = "names an account in the network"
    PERSONAL = "yes"
    SECRET = "a secret, sealed or hashed"  # noqa: S105 - words of a document
    PLAIN = "no"


class Retention(StrEnum):
    """How long a row or a column is kept.

    The shorter time applies: deleting the account ends all of these except the last two.
    """

    ACCOUNT = "until the account is deleted"
    PARENT = "as long as the event, series or group"
    INVITATION = "until 90 days after the invitation ended (`OPENMEET_ADDRESSES_KEPT_DAYS`)"
    CONTENT = "until 30 days after deletion (`OPENMEET_DELETED_KEPT_DAYS`)"
    ANSWER = "until 90 days after the event (`OPENMEET_ANSWERS_KEPT_DAYS`)"
    GUEST = "until 90 days after the last event (`OPENMEET_ADDRESSES_KEPT_DAYS`)"
    RECORD = "as long as the record is on the network"
    SHORT = "until it expires or is done, and up to 30 days longer"
    AUDIT = "as long as the site runs, because it proves what was done"
    SITE = "as long as the site runs"


class ColumnAudience(StrEnum):
    """The people who may see a column, in addition to the person it is about and the people who run the server."""

    EVERYONE = "everyone"
    EVENT = "everybody who may see the event, series or group"
    ATTENDEES = "hosts and attendees, or everyone if the host chose so"
    PHOTO_VIEWERS = "hosts, and people who were going when the event began or whom a host let in"
    MEMBERS = "members of the group"
    HOSTS = "hosts of the event or group"
    SELF = "only the person"
    MODERATORS = "moderators"
    NOBODY = "nobody; only the program reads it"


class OnErasure(StrEnum):
    """What happens to a person's rows when their account is deleted."""

    DELETE = "the rows are deleted"
    EMPTY = "the rows stay without their personal columns"
    PASS_ON = "passed on to a co-host, series owner or group member; otherwise deleted and emptied"  # noqa: S105 - words of a document
    PARENT = "deleted with the row that it belongs to"
    EXPIRE = "deleted when it expires"
    KEEP = "stays"


class PersonExport(StrEnum):
    """Whether a person's export contains the rows."""

    IMPORTED = "exported, and imported elsewhere"
    READABLE = "exported for the person to read"
    NO = "not exported"


@dataclass(frozen=True, slots=True)
class StoredColumns:
    """Columns of one table with the same properties.

    ``unique_with``: for a column with a user id, the columns with which it is unique (empty: unique alone; None: not
    unique). ``kept``: the retention, if it differs from the table's. ``is_exported``: included in a person's export.
    """

    names: tuple[str, ...]
    content: ColumnContent
    audience: ColumnAudience
    unique_with: tuple[str, ...] | None = None
    kept: Retention | None = None
    is_exported: bool = True


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table and how it treats personal data.

    ``rows``: an SQL condition for the rows that belong to the person ``:id``; empty if no row belongs to a single
    person. ``export``: whether a person's export contains the rows; ``not_exported`` says why not. ``export_rows``: the
    condition for export, if it differs from ``rows``. ``remaining_rows``: rows that name the person but are not in
    ``rows`` and stay, and why.
    """

    name: str
    holds: str
    rows: str
    kept: Retention
    on_erasure: OnErasure
    columns: tuple[StoredColumns, ...]
    export: PersonExport = PersonExport.NO
    not_exported: str = ""
    export_rows: str = ""
    remaining_rows: str = ""

    @property
    def exported_rows(self) -> str:
        return self.export_rows or self.rows

    @property
    def after_deletion(self) -> str:
        """What happens when an account is deleted, as text."""
        return "; ".join(filter(None, (self.on_erasure.value, self.remaining_rows)))

    def column_names(self) -> tuple[str, ...]:
        return tuple(name for group in self.columns for name in group.names)

    def names_of(self, *contents: ColumnContent) -> tuple[str, ...]:
        """The columns with this content."""
        return tuple(name for group in self.columns if group.content in contents for name in group.names)


def plain(names: str) -> StoredColumns:
    """Columns that are not personal on their own: states, numbers, instants, settings."""
    return StoredColumns(tuple(names.split()), ColumnContent.PLAIN, ColumnAudience.EVENT)


def personal(audience: ColumnAudience, names: str, kept: Retention | None = None) -> StoredColumns:
    """Columns with content by or about a person."""
    return StoredColumns(tuple(names.split()), ColumnContent.PERSONAL, audience, kept=kept)


def person(audience: ColumnAudience, names: str, *, unique_with: str | None = None) -> StoredColumns:
    """Columns with a user id. ``unique_with``: see ``StoredColumns``, separated by spaces."""
    keys = None if unique_with is None else tuple(unique_with.split())
    return StoredColumns(tuple(names.split()), ColumnContent.PERSON, audience, unique_with=keys)


def account(audience: ColumnAudience, names: str) -> StoredColumns:
    """Columns with a DID, a handle, a record URI (which contains a DID), or an account server (which may have a single
    account).
    """
    return StoredColumns(tuple(names.split()), ColumnContent.ACCOUNT, audience)


def secret(names: str) -> StoredColumns:
    """Columns with a token, key or password, sealed or hashed."""
    return StoredColumns(tuple(names.split()), ColumnContent.SECRET, ColumnAudience.NOBODY)


def unexported(columns: StoredColumns) -> StoredColumns:
    """Leave these columns out of a person's export."""
    return replace(columns, is_exported=False)


# The DIDs and the e-mail address of the person or guest ``:id``. The tables that hold them are erased last.
DIDS: Final = "(select did from identities where user_id = :id)"
ADDRESS: Final = (
    "(select coalesce(u.email, g.email) from users u left join guests g on g.user_id = u.id where u.id = :id)"
)
