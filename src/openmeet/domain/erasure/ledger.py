"""Ledger of erasures, of requests for one and of merges: a file apart from database and backups, so that a restore neither
brings anybody back nor forgets who asked to be deleted.

A line has a random number that names nobody once its row is empty, and when; of a merged account also the number of the one
that has everything now. An erasure is noted before the rows go.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from groundwork.clock import Instant
from openmeet.domain.users.model import UserId
from openmeet.i18n.formatting import iso


class ErasureLine(msgspec.Struct, rename="camel", omit_defaults=True):
    """One line of the ledger: one of the three times, in ISO 8601. ``merged_into``: the account has not been erased at that
    time but merged.
    """

    user_id: str
    erased_at: str | None = None
    merged_into: str | None = None
    requested_at: str | None = None
    withdrawn_at: str | None = None


@dataclass(frozen=True, slots=True)
class ErasureLedger:
    """The file, made when it is first written."""

    path: Path

    def note(self, user_id: UserId, *, db_now: Instant, merged_into: UserId | None = None) -> None:
        """An erasure or a merge; on the disk when this returns."""
        self._append(ErasureLine(user_id, erased_at=iso(db_now), merged_into=merged_into))

    def note_request(self, user_id: UserId, requested_at: Instant) -> None:
        """Note a request for deletion; it is on the disk when this returns."""
        self._append(ErasureLine(user_id, requested_at=iso(requested_at)))

    def note_withdrawal(self, user_id: UserId, withdrawn_at: Instant) -> None:
        """Note that a request was withdrawn, because its person signed in; it is on the disk when this returns.

        Does nothing for a request that was made later, or was not noted.
        """
        requested = self.requests().get(user_id)
        if requested is not None and requested <= _moment(iso(withdrawn_at)):
            self._append(ErasureLine(user_id, withdrawn_at=iso(withdrawn_at)))

    def requests(self) -> dict[UserId, datetime]:
        """Who asked for the deletion of their account and has neither withdrawn that nor been erased or merged; and when."""
        found: dict[UserId, datetime] = {}
        for line in self._lines():
            if line.requested_at is not None:
                found[UserId(line.user_id)] = _moment(line.requested_at)
            else:
                found.pop(UserId(line.user_id), None)
        return found

    def withdrawals(self) -> dict[UserId, datetime]:
        """Who has withdrawn their latest request, and when."""
        found: dict[UserId, datetime] = {}
        for line in self._lines():
            if line.withdrawn_at is not None:
                found[UserId(line.user_id)] = _moment(line.withdrawn_at)
            else:
                found.pop(UserId(line.user_id), None)
        return found

    def newest(self) -> datetime | None:
        """When the last line was written; None for an empty ledger."""
        times = [
            at for line in self._lines() if (at := line.erased_at or line.requested_at or line.withdrawn_at) is not None
        ]
        return _moment(times[-1]) if times else None

    def _append(self, line: ErasureLine) -> None:
        text = msgspec.json.encode(line) + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # One write of one line: two processes that append do not mix theirs.
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                text = b"\n" + text  # a crash cut the last line off: this one is not to be lost with it
            if os.write(file, text) != len(text):
                raise OSError(f"{self.path} could not be written in full")
            os.fsync(file)
        finally:
            os.close(file)

    def people(self) -> list[UserId]:
        """Everyone who was erased, once each, also those who had been merged into somebody erased. A line that a crash cut
        off is left out: its erasure goes on anyway.
        """
        lines = self._lines()
        found = {
            UserId(line.user_id): None for line in lines if line.erased_at is not None and line.merged_into is None
        }
        # Nobody is merged into somebody who was erased before, so one pass backwards follows every chain.
        for line in reversed(lines):
            if line.merged_into is not None and line.merged_into in found:
                found[UserId(line.user_id)] = None
        return list(found)

    def merged(self) -> list[tuple[UserId, UserId]]:
        """Which account was merged into which, in order."""
        return [
            (UserId(line.user_id), UserId(line.merged_into)) for line in self._lines() if line.merged_into is not None
        ]

    def _lines(self) -> list[ErasureLine]:
        found = []
        if self.path.exists():
            for line in self.path.read_bytes().splitlines():
                try:
                    found.append(msgspec.json.decode(line, type=ErasureLine))
                except msgspec.DecodeError:
                    continue
        return found


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
