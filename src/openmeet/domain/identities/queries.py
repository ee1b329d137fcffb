"""SQL for identities, consents and custodial accounts. Also display names, and the users that a text mentions."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from at_protocol.syntax.did import Did
from groundwork.clock import DAY, Instant
from groundwork.database.bulk import fetch_each
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.domain.identities import recovery_key_queries
from openmeet.domain.identities.model import NOT_ASKED, Consent, CustodialAccount, Identity, IdentityKind
from openmeet.domain.users.model import UserId, unnamed
from openmeet.domain.users.queries import names

# The longest pause between two queries about an inactive account.
_LONGEST_PAUSE: Final = 30 * DAY

COLUMNS = "did, user_id, kind, handle, display_name, pds_url, status, is_default, created_at"

FIND = f"select {COLUMNS} from identities where did = :did"

OF_USER = f"select {COLUMNS} from identities where user_id = :user_id order by is_default desc, created_at, did"

OF_USERS = (
    f"select {COLUMNS} from identities where user_id in :user_ids order by user_id, is_default desc, created_at, did"
)

OF_PEOPLE_WITH = f"""
    select {COLUMNS} from identities
     where user_id in (select user_id from identities where did in :dids)
     order by user_id, is_default desc, created_at, did
"""

BY_HANDLE = f"select {COLUMNS} from identities where handle = :handle order by did"

INSERT = f"""
    insert into identities (did, user_id, kind, handle, display_name, pds_url, status, is_default, checked_at,
                            created_at, updated_at)
    values (:did, :user_id, :kind, :handle, '', :pds_url, 'active', :is_default, null, :now, :now)
        on conflict (did) do nothing
    returning {COLUMNS}
"""

INSERT_SHADOWS = """
    insert into identities (did, user_id, kind, handle, display_name, pds_url, status, is_default, checked_at,
                            created_at, updated_at)
    select given.did, given.user_id, 'shadow', '', '', '', 'active', 1, null, cast(:now as bigint), cast(:now as bigint)
      from each(did text, user_id text) as given where 1 = 1
        on conflict (did) do nothing
    returning did
"""

CONNECT = """
    update identities
       set kind = case when kind = 'custodial' then 'custodial' else :kind end, handle = :handle, pds_url = :pds_url,
           is_default = :is_default, updated_at = :now
     where did = :did
"""

REASSIGN = """
    update identities
       set user_id = :user_id, kind = :kind, handle = :handle, pds_url = :pds_url, is_default = 1, updated_at = :now
     where did = :did and kind = 'shadow'
"""

NOTE_PROVEN = "update identities set handle = :handle, pds_url = :pds_url, updated_at = :now where did = :did"

CLAIM = "update identities set kind = 'connected', updated_at = :now where did = :did and kind = 'shadow'"

UPDATE_FROM_NETWORK = """
    update identities
       set handle = :handle, pds_url = :pds_url, status = :status,
           display_name = coalesce(cast(:display_name as text), display_name), checked_at = :now, updated_at = :now
     where did = :did
"""

# The DID still belongs to the user, but we no longer manage the account.
RELEASE = "update identities set kind = 'connected', updated_at = :now where did = :did and kind = 'custodial'"

MAKE_DEFAULT = """
    update identities set is_default = case when did = :did then 1 else 0 end, updated_at = :now
     where user_id = :user_id and exists (select 1 from identities mine
                                           where mine.did = :did and mine.user_id = :user_id and mine.kind <> 'shadow')
"""

DELETE_SESSION = "delete from repository_sessions where did = :did"
DELETE_ACCOUNT = "delete from custodial_accounts where did = :did"
DELETE = "delete from identities where did = :did"

# Consent stays in force if the user has another repository.
FORGET_CONSENT = """
    update consents set publishing = 0, handle = '', answered_at = null, revision = revision + 1
     where user_id = :user_id and not exists (select 1 from identities i where i.user_id = consents.user_id)
"""

CONSENT = "select publishing, asked_at, answered_at, handle, revision from consents where user_id = :user_id"

ANSWER = """
    insert into consents (user_id, publishing, asked_at, answered_at, handle, revision)
    values (:user_id, :publishing, :now, :now, :handle, 1)
        on conflict (user_id) do update
       set publishing = excluded.publishing, answered_at = excluded.answered_at, handle = excluded.handle,
           revision = consents.revision + 1
"""

ACCOUNT = "select user_id, handle, email, sealed_password, did from custodial_accounts where user_id = :user_id"

PUT_ACCOUNT = """
    insert into custodial_accounts (user_id, handle, email, sealed_password, did, created_at)
    values (:user_id, :handle, :email, :sealed_password, null, :now)
        on conflict (user_id) do update
       set handle = excluded.handle, email = excluded.email, sealed_password = excluded.sealed_password
     where custodial_accounts.did is null
"""

ACCOUNT_MADE = "update custodial_accounts set did = :did where user_id = :user_id and did is null"

# Users without an e-mail address and without a DID: nobody can sign in as them.
DEPARTED = (
    "select u.id from users u where u.kind = 'person' and u.email is null"
    " and not exists (select 1 from identities i where i.user_id = u.id)"
)


async def find(reader: Reader, did: str) -> Identity | None:
    row = await reader.fetch_one(FIND, did=did)
    return None if row is None else _identity(row)


async def of_user(reader: Reader, user_id: UserId) -> list[Identity]:
    """A user's DIDs, starting with the default for new records."""
    return [_identity(row) for row in await reader.fetch(OF_USER, user_id=user_id)]


async def writable_of_user(reader: Reader, user_id: UserId) -> list[Identity]:
    """Those of ``of_user`` to whose repositories we can write."""
    return [one for one in await of_user(reader, user_id) if one.can_write]


async def own_handles(reader: Reader, user_id: UserId) -> list[str]:
    """The handles of a user's accounts."""
    return [one.handle for one in await of_user(reader, user_id) if one.handle]


async def of_person_with(reader: Reader, did: str) -> list[Identity]:
    """All DIDs of the user who has this one; empty if nobody has it."""
    return (await of_people_with(reader, [did])).get(did, [])


async def of_people_with(reader: Reader, dids: Collection[str]) -> dict[str, list[Identity]]:
    """Like ``of_person_with``, for several DIDs. Unknown DIDs are missing from the result."""
    if not dids:
        return {}
    rows = await reader.fetch(OF_PEOPLE_WITH, dids=sorted(dids))
    of_user: dict[UserId, list[Identity]] = {}
    for one in map(_identity, rows):
        of_user.setdefault(one.user_id, []).append(one)
    return {one.did: identities for identities in of_user.values() for one in identities if one.did in dids}


async def of_users(reader: Reader, user_ids: list[UserId]) -> dict[UserId, list[Identity]]:
    """The DIDs of several users, each starting with the default for new records, in one statement."""
    identities: dict[UserId, list[Identity]] = {user_id: [] for user_id in user_ids}
    if identities:
        for row in await reader.fetch(OF_USERS, user_ids=user_ids):
            identities[UserId(row["user_id"])].append(_identity(row))
    return identities


async def by_handle(reader: Reader, handle: str) -> list[Identity]:
    return [_identity(row) for row in await reader.fetch(BY_HANDLE, handle=handle)]


async def people_by_handles(reader: Reader, handles: Sequence[str]) -> list[UserId]:
    """The people with these verified handles who have signed in to this site, ordered by id."""
    if not handles:
        return []
    rows = await reader.fetch(
        "select distinct i.user_id from identities i join users u on u.id = i.user_id and u.kind = 'person'"
        " where i.handle in :handles order by i.user_id",
        handles=list(handles),
    )
    return [UserId(row["user_id"]) for row in rows]


async def insert(
    tx: Transaction, did: str, user_id: UserId, kind: IdentityKind, *, handle: str, pds_url: str, is_default: bool
) -> Identity | None:
    """Insert an identity. None if the DID already belongs to somebody."""
    row = await tx.fetch_one(
        INSERT,
        did=did,
        user_id=user_id,
        kind=kind.value,
        handle=handle,
        pds_url=pds_url,
        is_default=int(is_default),
        now=tx.now,
    )
    return None if row is None else _identity(row)


async def insert_shadows(tx: Transaction, owners: Mapping[str, UserId]) -> set[str]:
    """Insert identities for new DIDs, in order, and skip known ones. Returns those inserted."""
    rows = [{"did": did, "user_id": user_id} for did, user_id in sorted(owners.items())]
    return {row["did"] for row in await fetch_each(tx, INSERT_SHADOWS, rows, now=tx.now)}


async def connect(
    tx: Transaction, did: str, kind: IdentityKind, *, handle: str, pds_url: str, is_default: bool
) -> None:
    await tx.execute(
        CONNECT, did=did, kind=kind.value, handle=handle, pds_url=pds_url, is_default=int(is_default), now=tx.now
    )


async def reassign(
    tx: Transaction, did: str, user_id: UserId, kind: IdentityKind, *, handle: str, pds_url: str
) -> None:
    """Reassign a DID that was seen on the network to this user."""
    await tx.execute(REASSIGN, did=did, user_id=user_id, kind=kind.value, handle=handle, pds_url=pds_url, now=tx.now)


async def note_proven(tx: Transaction, did: str, *, handle: str, pds_url: str) -> None:
    """Note that somebody proved control of this DID. Its user does not change."""
    await tx.execute(NOTE_PROVEN, did=did, handle=handle, pds_url=pds_url, now=tx.now)


async def claim(tx: Transaction, did: str) -> None:
    """Turn a shadow identity into one that its user can sign in with."""
    await tx.execute(CLAIM, did=did, now=tx.now)


async def update_from_network(
    tx: Transaction, did: str, *, handle: str, pds_url: str, status: str, display_name: str | None = None
) -> None:
    """Update an identity with data from the network. If ``display_name`` is None, keep the known one."""
    await tx.execute(
        UPDATE_FROM_NETWORK,
        did=did,
        handle=handle,
        pds_url=pds_url,
        status=status,
        display_name=display_name,
        now=tx.now,
    )


async def release_custodial(tx: Transaction, did: str) -> None:
    """Stop managing the account and delete its password. Its recovery key is kept until the user saves it."""
    await tx.execute(RELEASE, did=did, now=tx.now)
    await tx.execute(DELETE_ACCOUNT, did=did)
    await recovery_key_queries.note_taken_over(tx, did)


async def make_default(tx: Transaction, user_id: UserId, did: str) -> bool:
    """Make this DID the user's default for new records. False if we cannot write to its repository."""
    return await tx.execute(MAKE_DEFAULT, user_id=user_id, did=did, now=tx.now) > 0


async def delete(tx: Transaction, did: str, user_id: UserId) -> None:
    """Delete a DID with its session and recovery key. If it was the user's only repository, the consent ends too."""
    await recovery_key_queries.erase_of(tx, did)
    for statement in (DELETE_SESSION, DELETE_ACCOUNT, DELETE):
        await tx.execute(statement, did=did)
    await tx.execute(FORGET_CONSENT, user_id=user_id)


async def consent(reader: Reader, user_id: UserId) -> Consent:
    row = await reader.fetch_one(CONSENT, user_id=user_id)
    if row is None:
        return NOT_ASKED
    return Consent(bool(row["publishing"]), row["asked_at"], row["answered_at"], row["handle"], row["revision"])


async def put_answer(tx: Transaction, user_id: UserId, *, publishing: bool, handle: str) -> None:
    """Store the user's decision on publishing."""
    await tx.execute(ANSWER, user_id=user_id, publishing=int(publishing), handle=handle, now=tx.now)


async def custodial_account(reader: Reader, user_id: UserId) -> CustodialAccount | None:
    row = await reader.fetch_one(ACCOUNT, user_id=user_id)
    if row is None:
        return None
    return CustodialAccount(
        UserId(row["user_id"]),
        row["handle"],
        row["email"],
        bytes(row["sealed_password"]),
        None if row["did"] is None else Did(row["did"]),
    )


async def custodial_of(reader: Reader, user_ids: Collection[UserId]) -> list[str]:
    """DIDs of these users' custodial accounts, or the handles of those whose creation the PDS has not confirmed."""
    if not user_ids:
        return []
    rows = await reader.fetch(
        "select did as subject from identities where user_id in :ids and kind = 'custodial'"
        " union select handle as subject from custodial_accounts where user_id in :ids and did is null"
        " and handle <> '' order by 1",
        ids=list(user_ids),
    )
    return [row["subject"] for row in rows]


async def put_custodial_account(
    tx: Transaction, user_id: UserId, *, handle: str, email: str, sealed_password: bytes
) -> None:
    """Store the request to the PDS. An existing account does not change."""
    await tx.execute(
        PUT_ACCOUNT, user_id=user_id, handle=handle, email=email, sealed_password=sealed_password, now=tx.now
    )


async def note_refused(tx: Transaction, account: CustodialAccount) -> None:
    """Note that the PDS refused the handle and created no account. The handle becomes empty, because no request is
    open.
    """
    await tx.execute(
        "update custodial_accounts set handle = '' where user_id = :user_id and handle = :handle and did is null",
        user_id=account.user_id,
        handle=account.handle,
    )


async def note_account_made(tx: Transaction, user_id: UserId, did: str) -> bool:
    return await tx.execute(ACCOUNT_MADE, user_id=user_id, did=did) == 1


def _identity(row: Row) -> Identity:
    return Identity(
        Did(row["did"]),
        UserId(row["user_id"]),
        IdentityKind(row["kind"]),
        row["handle"],
        row["display_name"],
        row["pds_url"],
        row["status"],
        bool(row["is_default"]),
        Instant(row["created_at"]),
    )


async def count_shadows(reader: Reader) -> tuple[int, int]:
    """Number of shadow accounts, and number of former ones whose owner has signed in since."""
    row = await reader.fetch_one(
        """
        select (select count(*) from identities where kind = 'shadow') as unclaimed,
               (select count(*) from users where claimed_at is not null) as claimed
        """
    )
    return (0, 0) if row is None else (int(row["unclaimed"]), int(row["claimed"]))


NAMED = """
    select email as name from users where id = :user_id and email in :named
    union all
    select did from identities where user_id = :user_id and did in :named and kind <> 'shadow'
    order by 1
"""


async def setting_entry_of(reader: Reader, user_id: UserId, named: Sequence[str]) -> str | None:
    """The entry of the setting ``named`` (e-mail addresses and DIDs) that matches this user. None if there is none."""
    if not named:
        return None
    entries = [one.lower() if "@" in one else one for one in named]
    row = await reader.fetch_one(NAMED, user_id=user_id, named=entries)
    return None if row is None else str(row["name"])


async def shown_names(reader: Reader, user_ids: Sequence[UserId], *, with_leaving: bool = False) -> dict[UserId, str]:
    """Display names of these users, in two statements. ``with_leaving``: see ``users.queries.names``."""
    unique_ids = list(dict.fromkeys(user_ids))
    names_by_id = await names(reader, unique_ids, with_leaving=with_leaving)
    nameless = [user_id for user_id in unique_ids if not names_by_id.get(user_id)]
    for user_id, identities in (await of_users(reader, nameless)).items():
        names_by_id[user_id] = _name_of(identities[0]) if identities else unnamed()
    return names_by_id


def _name_of(identity: Identity) -> str:
    if identity.display_name:
        return identity.display_name
    return f"@{identity.handle}" if identity.handle else identity.did


# ``checked_at`` is the last query, and ``updated_at`` the last answer or another change, after which the pauses begin
# anew.
_IS_AWAY: Final = """
    status <> 'active' and (checked_at is null or checked_at < :longest_ago
                            or (checked_at < :before and 2 * checked_at - updated_at < :now))
"""


async def take_inactive_to_check(tx: Transaction) -> list[Did]:
    """Return the inactive accounts whose servers are to be queried again, and note that they are.

    The first pause is a day. If a server does not answer, or a DID cannot be resolved, each pause is twice as long as the
    one before, up to a month.
    """
    times = {"before": tx.now - DAY, "longest_ago": tx.now - _LONGEST_PAUSE, "now": tx.now}
    rows = await tx.fetch(f"select did from identities where {_IS_AWAY} order by did", **times)
    await tx.execute(f"update identities set checked_at = :now where {_IS_AWAY}", **times)
    return [Did(row["did"]) for row in rows]


# Maximum mentions per text. A text with more is not addressed to anybody in particular.
MAX_MENTIONS = 20
MAX_HANDLE = 253

# A handle is a host name with at least two labels (AT Protocol, "Handle Syntax"). A character before the @ means an
# e-mail address.
_MENTION = re.compile(
    r"(?<![\w@.+-])@((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)", re.IGNORECASE
)


def handles_in(text: str) -> tuple[str, ...]:
    """The handles that a text mentions, each once, in order, and at most ``MAX_MENTIONS``."""
    handles: dict[str, None] = {}
    for match in _MENTION.finditer(text):
        # The maximum length of a host name.
        if len(match[1]) <= MAX_HANDLE:
            handles[match[1].lower()] = None
        if len(handles) == MAX_MENTIONS:
            break
    return tuple(handles)


async def mentioned_in(reader: Reader, text: str, *, before: str = "") -> list[UserId]:
    """Users with a local account who are mentioned in the text but not in ``before``."""
    earlier_handles = set(handles_in(before))
    return await people_by_handles(reader, [one for one in handles_in(text) if one not in earlier_handles])
