"""Ledger of erasures, deletion requests and merges: a file separate from database and backups. After a backup was
restored, erased accounts can be erased again and deletion requests are not lost. A second file for each database has the
time at which it was last in use, which shows that an older copy was restored.

A line has a time and a random user id, which no longer identifies anyone once the user's row is empty. For a merged
account it also has the id of the remaining one. An erasure is recorded before the rows are deleted.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from groundwork import private_file
from groundwork.clock import Instant
from openmeet.domain.users.model import UserId
from openmeet.i18n.formatting import iso


class ErasureLine(msgspec.Struct, rename="camel", omit_defaults=True):
    """One line of the ledger, with one of the three times in ISO 8601. If ``merged_into`` is set, the account was
    merged at that time and not erased.
    """

    user_id: str
    erased_at: str | None = None
    merged_into: str | None = None
    requested_at: str | None = None
    withdrawn_at: str | None = None


@dataclass(frozen=True, slots=True)
class ErasureLedger:
    """The file, created on the first write."""

    path: Path

    def note(self, user_id: UserId, *, db_now: Instant, merged_into: UserId | None = None) -> None:
        """Record an erasure or a merge. It is on disk when this returns."""
        self._append(ErasureLine(user_id, erased_at=iso(db_now), merged_into=merged_into))

    def note_request(self, user_id: UserId, requested_at: Instant) -> None:
        """Record a request for deletion. It is on disk when this returns."""
        self._append(ErasureLine(user_id, requested_at=iso(requested_at)))

    def note_withdrawal(self, user_id: UserId, withdrawn_at: Instant) -> None:
        """Record that a request was withdrawn because the person signed in. It is on disk when this returns.

        Does nothing if the request was made later, or is not in the ledger.
        """
        requested = self.requests().get(user_id)
        if requested is not None and requested <= _moment(iso(withdrawn_at)):
            self._append(ErasureLine(user_id, withdrawn_at=iso(withdrawn_at)))

    def requests(self) -> dict[UserId, datetime]:
        """The people who have requested deletion, with the time. People who withdrew the request or were erased or
        merged are left out.
        """
        requested_at: dict[UserId, datetime] = {}
        for line in self._lines():
            if line.requested_at is not None:
                requested_at[UserId(line.user_id)] = _moment(line.requested_at)
            else:
                requested_at.pop(UserId(line.user_id), None)
        return requested_at

    def withdrawals(self) -> dict[UserId, datetime]:
        """The people who have withdrawn their latest request, with the time."""
        withdrawn_at: dict[UserId, datetime] = {}
        for line in self._lines():
            if line.withdrawn_at is not None:
                withdrawn_at[UserId(line.user_id)] = _moment(line.withdrawn_at)
            else:
                withdrawn_at.pop(UserId(line.user_id), None)
        return withdrawn_at

    def newest(self) -> datetime | None:
        """The time at which the last line was written. None for an empty ledger."""
        times = [
            at for line in self._lines() if (at := line.erased_at or line.requested_at or line.withdrawn_at) is not None
        ]
        return _moment(times[-1]) if times else None

    def note_in_use(self, database_id: str, at: Instant) -> None:
        """Record that a database was in use at this time. It is on disk when this returns."""
        private_file.write(self._in_use(database_id), str(int(at)).encode())

    def last_used(self, database_id: str) -> Instant | None:
        """The time at which a database was last in use. None if nothing was recorded."""
        path = self._in_use(database_id)
        return Instant(int(path.read_bytes())) if path.exists() else None

    def _in_use(self, database_id: str) -> Path:
        return self.path.with_name(f"{self.path.stem}.{database_id}.in-use")

    def _append(self, line: ErasureLine) -> None:
        text = msgspec.json.encode(line) + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # One write per line, so that the lines of two appending processes cannot mix.
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                text = b"\n" + text  # a crash cut off the last line; without a new line, this one would be lost too
            if os.write(file, text) != len(text):
                raise OSError(f"{self.path} could not be written in full")
            os.fsync(file)
        finally:
            os.close(file)

    def people(self) -> list[UserId]:
        """Everyone who was erased, once each, including people who had been merged into an erased account. A line that
        a crash cut off is left out, because that erasure is repeated anyway.
        """
        lines = self._lines()
        user_ids = {
            UserId(line.user_id): None for line in lines if line.erased_at is not None and line.merged_into is None
        }
        # Nobody is merged into a person who was already erased, so one backward pass follows every chain.
        for line in reversed(lines):
            if line.merged_into is not None and line.merged_into in user_ids:
                user_ids[UserId(line.user_id)] = None
        return list(user_ids)

    def merged(self) -> list[tuple[UserId, UserId]]:
        """Pairs of (merged account, remaining account), in order."""
        return [
            (UserId(line.user_id), UserId(line.merged_into)) for line in self._lines() if line.merged_into is not None
        ]

    def _lines(self) -> list[ErasureLine]:
        lines = []
        if self.path.exists():
            for line in self.path.read_bytes().splitlines():
                try:
                    lines.append(msgspec.json.decode(line, type=ErasureLine))
                except msgspec.DecodeError:
                    continue
        return lines


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
