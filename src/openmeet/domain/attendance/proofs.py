"""Proofs of attendance: people who were checked in get a secret link, which shows that to anyone they give it to.

A row says only that the person made a proof, and when they withdrew it. Whether it is valid is decided at each request
from the RSVP, the event and the person, so that it ends with the check-in, the event or the account. The token is
derived from the server's key, and only its hash is stored (invariant 8). Nobody can list the proofs of somebody else.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from at_protocol.syntax.did import Did
from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import Conflict, Gone, NotFound, Refused
from groundwork.signing_key import SigningKey
from groundwork.token_hash import hash_token
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import proof_keys
from openmeet.domain.attendance.model import Attendance, AttendanceId, AttendanceStatus
from openmeet.domain.attendance.queries import IS_HIDDEN
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.visibility import own_rsvp, seen_by, visible_event
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities import queries as identities
from openmeet.domain.identities.model import ACTIVE, Identity
from openmeet.domain.paging import Page
from openmeet.domain.users.model import Caller, UserId

_CURRENT_PROOF: Final = (
    "select id, attendance_id, did, token_hash, made_at from attendance_proofs"
    " where attendance_id = :attendance_id and withdrawn_at is null"
)


class ShownAs(StrEnum):
    """What a proof shows of its person: the display name, or the network account (handle and DID)."""

    NAME = "name"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class AttendanceProof:
    """A proof that was not withdrawn. ``did`` is the account that it shows; None if it shows the display name.

    ``token`` is the secret in its address, empty if the key that it was derived from is no longer configured.
    """

    id: str
    attendance_id: AttendanceId
    did: Did | None
    made_at: Instant
    token: str

    @property
    def shown_as(self) -> ShownAs:
        return ShownAs.NAME if self.did is None else ShownAs.ACCOUNT


@dataclass(frozen=True, slots=True)
class ProofOptions:
    """What a person can do with their proof for an event. ``why_not`` says why they cannot make one.

    ``name`` and ``account`` are what a new proof can show; ``account`` is None without a network account.
    ``shown_account`` is the account that ``proof`` shows.
    """

    event: Event
    rsvp: Attendance
    proof: AttendanceProof | None
    why_not: AttendanceReason | None
    name: str
    account: Identity | None
    shown_account: Identity | None

    @property
    def is_confirmed(self) -> bool:
        """Whether ``proof`` is valid. It is not if the account that it shows was disconnected or deactivated."""
        is_shown = self.proof is not None and (self.proof.did is None or self.shown_account is not None)
        return is_shown and self.why_not is None


@dataclass(frozen=True, slots=True)
class ListedProof:
    """A person's proof in the list of theirs. ``why_not`` says why it is not valid now; None if it is.

    ``is_named``: the person may read which event it is about. ``is_visible``: they can open its page. ``name`` is what
    the proof shows: the display name, or empty if it shows an account.
    """

    proof: AttendanceProof
    event: Event
    why_not: AttendanceReason | None
    is_visible: bool
    name: str
    account: Identity | None

    @property
    def is_named(self) -> bool:
        """A valid proof names its event to everyone who has the link."""
        return self.is_visible or self.why_not is None


@dataclass(frozen=True, slots=True)
class ProofContent:
    """What a valid proof says now. Either ``name`` or ``account`` is given. ``made_at``: when the proof was made."""

    event: Event
    host: str
    name: str
    account: Identity | None
    made_at: Instant


def refusal_of_proof(event: Event, status: AttendanceStatus, now: Instant) -> AttendanceReason | None:
    """Why there is no proof of this attendance now; None if there can be one.

    Attendees are let in up to a day before the start, so a check-in alone does not show that somebody was there. The hosts
    of private events did not agree that we confirm them to anybody.
    """
    if event.is_gone or event.is_held or event.is_hidden or event.is_cancelled:
        return AttendanceReason.PROOF_NOT_CONFIRMED
    if event.visibility is Visibility.PRIVATE:
        return AttendanceReason.PROOF_OF_PRIVATE_EVENT
    if status is not AttendanceStatus.ATTENDED:
        return AttendanceReason.PROOF_NEEDS_CHECK_IN
    if event.starts_at is None or event.starts_at > now:
        return AttendanceReason.PROOF_NOT_YET
    return None


async def options_of(reader: Reader, server_key: SigningKey, caller: Caller, slug: EventSlug) -> ProofOptions:
    """The caller's proof for this event, and what they can do. Raises NotFound if they have
    neither a proof nor a place, or if the event is not visible.
    """
    event, rsvp = await visible_event(reader, slug, caller.user_id, refusal=AttendanceReason.NO_OWN_ANSWER)
    proof = None if rsvp is None else await _current_proof(reader, server_key, rsvp.id)
    if rsvp is None or not (rsvp.is_seated or proof):
        raise NotFound(AttendanceReason.NO_OWN_ANSWER)
    accounts = [one for one in await identities.of_user(reader, caller.user_id) if _can_be_shown(one)]
    shown_account = next((one for one in accounts if proof and one.did == proof.did), None)
    return ProofOptions(
        event,
        rsvp,
        proof,
        refusal_of_proof(event, rsvp.status, reader.now),
        caller.display_name,
        # The default for new records comes first.
        accounts[0] if accounts else None,
        shown_account,
    )


async def of_person(reader: Reader, server_key: SigningKey, caller: Caller, page: Page) -> list[ListedProof]:
    """The caller's proofs that were not withdrawn, newest first, in the order of ``page.clause``."""
    rows = await reader.fetch(
        "select p.id, p.attendance_id, p.did, p.token_hash, p.made_at, a.event_id, a.status"
        " from attendance_proofs p join attendances a on a.id = p.attendance_id"
        f" where a.user_id = :user_id and p.withdrawn_at is null{page.clause('p.made_at', 'p.id')}",
        user_id=caller.user_id,
        **page.values,
    )
    events = {one.id: one for one in await event_queries.several(reader, [row["event_id"] for row in rows])}
    visible = await seen_by(reader, events.values(), caller.user_id)
    accounts = {one.did: one for one in await identities.of_user(reader, caller.user_id) if _can_be_shown(one)}
    listed = []
    for row in rows:
        event, account = events[row["event_id"]], accounts.get(row["did"])
        why_not = refusal_of_proof(event, AttendanceStatus(row["status"]), reader.now)
        if why_not is None and row["did"] is not None and account is None:
            why_not = AttendanceReason.PROOF_ACCOUNT_GONE
        is_visible = event.id in visible and not event.is_gone
        name = caller.display_name if row["did"] is None else ""
        listed.append(ListedProof(_proof(server_key, row), event, why_not, is_visible, name, account))
    return listed


async def count(reader: Reader, user_id: UserId) -> int:
    """How many proofs of this person were not withdrawn."""
    (row,) = await reader.fetch(
        "select count(*) as number from attendance_proofs p join attendances a on a.id = p.attendance_id"
        " where a.user_id = :user_id and p.withdrawn_at is null",
        user_id=user_id,
    )
    return int(row["number"])


async def make(
    tx: Transaction, server_key: SigningKey, caller: Caller, slug: EventSlug, shown_as: ShownAs, *, replaces: str = ""
) -> AttendanceProof:
    """Make the caller's proof for this event, or return the one that they have. ``replaces`` is the id of the proof that
    the new one replaces, which is withdrawn; a repeated request finds it withdrawn and makes no further one.

    Raises NotFound, Refused (``NoProof``, ``NoAccount``), Conflict if the proof was withdrawn at the same moment, and
    Unavailable if the signing key cannot be opened.
    """
    options = await options_of(tx, server_key, caller, slug)
    if options.why_not is not None:
        raise Refused(options.why_not, name="NoProof")
    if shown_as is ShownAs.ACCOUNT and options.account is None:
        raise Refused(AttendanceReason.PROOF_NEEDS_ACCOUNT, name="NoAccount")
    await proof_keys.ensure_key(tx, server_key)
    if replaces:
        await _withdraw(tx, options.rsvp.id, replaces)
    proof_id = new_id(tx.now)
    await tx.execute(
        "insert into attendance_proofs (id, attendance_id, token_hash, did, made_at)"
        " values (:id, :attendance_id, :hash, :did, :now)"
        " on conflict (attendance_id) where withdrawn_at is null do nothing",
        id=proof_id,
        attendance_id=options.rsvp.id,
        hash=hash_token(_token(server_key, proof_id)),
        did=options.account.did if shown_as is ShownAs.ACCOUNT and options.account else None,
        now=tx.now,
    )
    proof = await _current_proof(tx, server_key, options.rsvp.id)
    if proof is None:
        # There was one already, and it has been withdrawn since.
        raise Conflict(AttendanceReason.PROOF_JUST_WITHDRAWN)
    return proof


async def withdraw(tx: Transaction, caller: Caller, slug: EventSlug, proof_id: str) -> None:
    """Withdraw the caller's proof, also if they can no longer see the event. Repeatable. Raises NotFound."""
    rsvp = await own_rsvp(tx, slug, caller.user_id)
    await _withdraw(tx, rsvp.id, proof_id)


async def content_of(reader: Reader, token: str) -> ProofContent:
    """What the proof with this token says now. Raises NotFound, and Gone if it was withdrawn (``ProofWithdrawn``) or is
    no longer confirmed (``ProofNotConfirmed``). Neither reveals anything about the person or the event.
    """
    row = await reader.fetch_one(
        f"select p.did, p.made_at, p.withdrawn_at, a.user_id, a.event_id, a.status, {IS_HIDDEN} as is_hidden"
        " from attendance_proofs p join attendances a on a.id = p.attendance_id where p.token_hash = :hash",
        hash=hash_token(token),
    )
    if row is None:
        raise NotFound(AttendanceReason.NO_SUCH_PROOF)
    if row["withdrawn_at"] is not None:
        raise Gone(AttendanceReason.PROOF_WITHDRAWN, name="ProofWithdrawn")
    event = await event_queries.by_id(reader, row["event_id"])
    user_id = UserId(row["user_id"])
    account = None if row["did"] is None else await _own_account(reader, user_id, row["did"])
    is_hidden = row["is_hidden"] or (row["did"] is not None and account is None)
    if event is None or is_hidden or refusal_of_proof(event, AttendanceStatus(row["status"]), reader.now) is not None:
        raise Gone(AttendanceReason.PROOF_NOT_CONFIRMED, name="ProofNotConfirmed")
    names = await identities.shown_names(reader, [event.author_id, user_id])
    name = "" if account else names[user_id]
    return ProofContent(event, names[event.author_id], name, account, Instant(row["made_at"]))


async def move_to_kept_rsvps(tx: Transaction, pairs: Sequence[tuple[AttendanceId, AttendanceId]]) -> None:
    """Move proofs from RSVPs that are merged into others. ``pairs``: the remaining RSVP and the dropped one. If both
    have a proof, that of the remaining RSVP is kept and the other one withdrawn.
    """
    values: list[Mapping[str, object]] = [{"kept": kept, "dropped": dropped, "now": tx.now} for kept, dropped in pairs]
    await tx.execute_many(
        "update attendance_proofs set withdrawn_at = :now where attendance_id = :dropped and withdrawn_at is null"
        " and exists (select 1 from attendance_proofs k where k.attendance_id = :kept and k.withdrawn_at is null)",
        values,
    )
    await tx.execute_many(
        "update attendance_proofs set attendance_id = :kept where attendance_id = :dropped",
        [{"kept": kept, "dropped": dropped} for kept, dropped in pairs],
    )


async def _current_proof(reader: Reader, server_key: SigningKey, attendance_id: AttendanceId) -> AttendanceProof | None:
    row = await reader.fetch_one(_CURRENT_PROOF, attendance_id=attendance_id)
    return None if row is None else _proof(server_key, row)


async def _withdraw(tx: Transaction, attendance_id: AttendanceId, proof_id: str) -> None:
    await tx.execute(
        "update attendance_proofs set withdrawn_at = :now"
        " where id = :id and attendance_id = :attendance_id and withdrawn_at is null",
        id=proof_id,
        attendance_id=attendance_id,
        now=tx.now,
    )


async def _own_account(reader: Reader, user_id: UserId, did: str) -> Identity | None:
    return next(
        (one for one in await identities.of_user(reader, user_id) if one.did == did and _can_be_shown(one)), None
    )


def _can_be_shown(identity: Identity) -> bool:
    return identity.can_write and identity.status == ACTIVE


def _proof(server_key: SigningKey, row: Row) -> AttendanceProof:
    token = server_key.find_valid(
        lambda one: _token(one, row["id"]), lambda token: hash_token(token) == bytes(row["token_hash"])
    )
    return AttendanceProof(
        row["id"],
        AttendanceId(row["attendance_id"]),
        None if row["did"] is None else Did(row["did"]),
        Instant(row["made_at"]),
        token or "",
    )


def _token(server_key: SigningKey, proof_id: str) -> str:
    digest = server_key.digest(b"attendance proof\x00" + proof_id.encode())
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
