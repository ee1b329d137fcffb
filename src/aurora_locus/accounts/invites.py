"""Invite codes: who may create an account on this server, and how many accounts. Operators create them, and an account
earns them over time: one per interval, with a limit on unused ones.

The rule for earned ones is the reference server's (``PDS_INVITE_INTERVAL``, ``PDS_INVITE_EPOCH``): one code for each
whole interval since the account was created, or since the epoch if that is later. Codes created by an administrator do
not count.
"""

import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from at_protocol.syntax.did import Did
from aurora_locus.i18n.sentences import gettext_noop
from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Writer
from groundwork.errors import Refused

# RFC 4648 base32 in lower case, as in the reference server: it has no digits that look like letters.
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

_INSERT = """
    insert into invite_codes (code, available_uses, for_account, created_by, created_at)
    values (:code, :uses, :for_account, :created_by, :created_at)
"""
# The codes of an account that is taken down or suspended cannot be used as long as that lasts.
_USABLE = """
    code = :code and disabled = 0 and available_uses > 0
       and not exists (select 1 from accounts a
                        where a.did = invite_codes.for_account
                          and (a.takedown_ref is not null or a.suspended_at is not null))
"""
# This statement settles races: of two sign-ups that want the last use, one gets it.
_TAKE = f"update invite_codes set available_uses = available_uses - 1 where {_USABLE}"
_IS_USABLE = f"select 1 from invite_codes where {_USABLE}"
_NOTE_USE = "insert into invite_code_uses (code, used_by, used_at) values (:code, :used_by, :used_at)"
_COLUMNS = "c.code, c.available_uses, c.disabled, c.for_account, c.created_by, c.created_at"
_OF_ACCOUNTS = f"select {_COLUMNS} from invite_codes c where c.for_account in :accounts order by c.created_at, c.code"
_USED_BY = f"""
    select u.used_by, {_COLUMNS} from invite_code_uses u join invite_codes c on c.code = u.code where u.used_by in :dids
"""
_USES_OF = "select code, used_by, used_at from invite_code_uses where code in :codes order by used_at desc, used_by"
_USES = "(select count(*) from invite_code_uses u where u.code = c.code)"
# The keyset is (key, code), both descending, so that comparing one pair finds the next page.
_PAGES = {
    sort: f"""
        select * from (select {_COLUMNS}, {key} as sort_key from invite_codes c) p
         where (p.sort_key, p.code) < (:key, :code)
         order by p.sort_key desc, p.code desc
         limit :limit
    """
    for sort, key in (("recent", "c.created_at"), ("usage", _USES))
}
_DISABLE = "update invite_codes set disabled = 1 where code in :codes"
_DISABLE_OF_ACCOUNTS = "update invite_codes set disabled = 1 where for_account in :accounts"
_DISABLE_OF = "update invite_codes set disabled = 1 where for_account = :did"

# Greater than every instant and every count.
_BEYOND = 2**62
# The same limit as the reference server's: an account that never invites anybody does not collect hundreds of codes.
MAX_OPEN = 5

# This locks the account's row, so that concurrent requests do not create the same codes twice.
_LOCK = """
    update accounts set invites_disabled = invites_disabled where did = :did
    returning created_at, invites_disabled, deactivated_at, takedown_ref
"""
_EARNED = """
    select count(*) as made, coalesce(sum(case when disabled = 0 and available_uses > 0 then 1 else 0 end), 0) as open
      from invite_codes
     where for_account = :did and created_by = :did
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteCode:
    """A code with its uses. ``left`` is the number of remaining uses."""

    code: str
    left: int
    is_disabled: bool
    for_account: str
    created_by: str
    created_at: Instant
    uses: tuple[tuple[Did, Instant], ...]


def fresh_code(hostname: str) -> str:
    """Make an invite code: ``<hostname with dashes>-xxxxx-xxxxx``."""
    random = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    return f"{hostname.replace('.', '-').replace(':', '-')}-{random[:5]}-{random[5:]}"


def create_many(
    w: Writer, hostname: str, accounts: Sequence[str], *, codes: int, uses: int, created_by: str
) -> dict[str, list[str]]:
    """Store ``codes`` fresh codes for each account."""
    codes_by_account = {account: [fresh_code(hostname) for _ in range(codes)] for account in accounts}
    rows = [
        {"code": code, "uses": uses, "for_account": account, "created_by": created_by, "created_at": w.now}
        for account, new_codes in codes_by_account.items()
        for code in new_codes
    ]
    w.execute_many(_INSERT, rows)
    return codes_by_account


async def of_account(reader: Reader, account: str) -> list[InviteCode]:
    """Return the codes created for an account, oldest first."""
    return (await of_accounts(reader, [account])).get(account, [])


async def of_accounts(reader: Reader, accounts: Sequence[str]) -> dict[str, list[InviteCode]]:
    """Return the codes created for each account, oldest first."""
    rows = await reader.fetch(_OF_ACCOUNTS, accounts=list(accounts))
    codes = defaultdict(list)
    for code in await _with_uses(reader, rows):
        codes[code.for_account].append(code)
    return codes


async def used_by(reader: Reader, dids: Sequence[Did]) -> dict[str, InviteCode]:
    """Return the code with which each account was created. Accounts that needed none are left out."""
    rows = await reader.fetch(_USED_BY, dids=list(dids))
    codes = await _with_uses(reader, rows)
    return {row["used_by"]: code for row, code in zip(rows, codes, strict=True)}


async def _with_uses(reader: Reader, rows: Sequence[Row]) -> list[InviteCode]:
    uses = defaultdict(list)
    for row in await reader.fetch(_USES_OF, codes=[row["code"] for row in rows]):
        uses[row["code"]].append((Did(row["used_by"]), Instant(row["used_at"])))
    return [_code(row, uses[row["code"]]) for row in rows]


async def page(reader: Reader, sort: str, after: tuple[int, str] | None, limit: int) -> list[tuple[int, InviteCode]]:
    """Return a page of all codes, each with its cursor: the newest first (``recent``) or the most used first
    (``usage``).
    """
    key, code = after or (_BEYOND, "")
    rows = await reader.fetch(_PAGES[sort], key=key, code=code, limit=limit)
    codes = await _with_uses(reader, rows)
    return [(int(row["sort_key"]), code) for row, code in zip(rows, codes, strict=True)]


async def require_usable(reader: Reader, code: str) -> None:
    """Raise early if ``use`` would refuse the code. ``use`` settles races for the last use."""
    if not await _is_usable(reader, code):
        raise _unusable()


async def _is_usable(reader: Reader, code: str) -> bool:
    """Whether the code has uses left now."""
    # PostgreSQL rejects a NUL in text.
    return code.isprintable() and await reader.fetch_one(_IS_USABLE, code=code) is not None


def use(w: Writer, code: str, did: Did) -> None:
    """Use up one use for a new account, in the transaction that creates it. Raises Refused (``InvalidInviteCode``)."""
    if w.execute(_TAKE, code=code) != 1:
        raise _unusable()
    w.execute(_NOTE_USE, code=code, used_by=did, used_at=w.now)


def disable_of(w: Writer, account: str) -> None:
    """Disable every code created for this account."""
    w.execute(_DISABLE_OF, did=account)


def disable(w: Writer, codes: Sequence[str], accounts: Sequence[str]) -> None:
    """Disable these codes and every code of these accounts."""
    w.execute(_DISABLE, codes=list(codes))
    w.execute(_DISABLE_OF_ACCOUNTS, accounts=list(accounts))


def _code(row: Row, uses: Sequence[tuple[Did, Instant]]) -> InviteCode:
    return InviteCode(
        code=row["code"],
        left=row["available_uses"],
        is_disabled=bool(row["disabled"]),
        for_account=row["for_account"],
        created_by=row["created_by"],
        created_at=Instant(row["created_at"]),
        uses=tuple(uses),
    )


def _unusable() -> Refused:
    return Refused(gettext_noop("This invite code is unknown, disabled or used up."), name="InvalidInviteCode")


@dataclass(frozen=True, slots=True)
class EarningRule:
    """The rule by which accounts earn invite codes. ``interval`` is in microseconds; 0 means that no codes are earned.
    The rule applies from ``epoch`` on.
    """

    interval: int
    epoch: Instant


def count_due(earning: EarningRule, *, since: int, now: int, created_count: int, open_now: int) -> int:
    """Return how many new invite codes the account may get now. ``created_count`` is the number of codes it has already
    earned.
    """
    if earning.interval <= 0:
        return 0
    earned = max(0, now - max(since, earning.epoch)) // earning.interval
    return max(0, min(earned - created_count, MAX_OPEN - open_now))


def earn(w: Writer, earning: EarningRule, did: Did, hostname: str) -> int:
    """Create the codes earned since the last request and return how many."""
    account = w.fetch_one(_LOCK, did=did)
    if account is None or account["invites_disabled"] or account["deactivated_at"] or account["takedown_ref"]:
        return 0
    row = w.fetch_one(_EARNED, did=did)
    if row is None:
        raise LookupError("a statement that counts has one row")
    count = count_due(earning, since=account["created_at"], now=w.now, created_count=row["made"], open_now=row["open"])
    if count:
        create_many(w, hostname, [did], codes=count, uses=1, created_by=did)
    return count
