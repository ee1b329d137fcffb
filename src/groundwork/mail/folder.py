"""Development mailbox: e-mail is stored in a folder instead of being sent, and shown on a page that only loopback can
see.

There is one ``.eml`` file per e-mail, and sorting by name sorts by time. On a public server this is dangerous
(``startup_checks``).
"""

import asyncio
import os
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from groundwork.clock import Clock, Instant, from_datetime
from groundwork.errors import NotFound
from groundwork.mail.contract import Mail, Sender, compose
from groundwork.uuid7 import new_id

# Enough for an afternoon of tests. The oldest e-mails are deleted.
MAX_KEPT = 1000


@dataclass(frozen=True, slots=True)
class StoredMail:
    """One e-mail in the mailbox, read back from its file."""

    id: str
    to: str
    subject: str
    text: str
    html: str
    sent_at: Instant
    headers: dict[str, str]


class FolderMailbox:
    """Stores e-mail in a folder. ``newest`` lists the newest first."""

    def __init__(self, folder: Path, sender: Sender, clock: Clock) -> None:
        self._folder = folder
        self._sender = sender
        self._clock = clock

    async def send(self, mail: Mail) -> None:
        now = self._clock.now()
        content = compose(mail, self._sender, now).as_bytes()
        await asyncio.to_thread(self._keep, new_id(now), content)

    async def newest(self, limit: int = 50, *, to: str = "") -> list[StoredMail]:
        """Return the newest e-mails first, optionally only those to one address."""
        return await asyncio.to_thread(self._newest, limit, to.lower())

    async def find(self, mail_id: str) -> StoredMail:
        """Return one e-mail by its identifier. Raises ``NotFound``."""
        names = await asyncio.to_thread(self._names)
        if mail_id not in names:
            raise NotFound("There is no such mail.")
        return await asyncio.to_thread(self._read, mail_id)

    async def check(self) -> None:
        """Do nothing: a folder has no connection to check, and is created when the first e-mail is written."""

    async def close(self) -> None:
        """Do nothing: no file stays open between e-mails."""

    def _keep(self, mail_id: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{mail_id}.eml"
        unfinished = path.with_suffix(".part")
        with unfinished.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        for name in self._names()[MAX_KEPT:]:
            (self._folder / f"{name}.eml").unlink(missing_ok=True)

    def _names(self) -> list[str]:
        return sorted((path.stem for path in self._folder.glob("*.eml")), reverse=True)

    def _newest(self, limit: int, to: str) -> list[StoredMail]:
        mails: list[StoredMail] = []
        for name in self._names():
            if len(mails) == limit:
                break
            mail = self._read(name)
            if not to or mail.to.lower() == to:
                mails.append(mail)
        return mails

    def _read(self, name: str) -> StoredMail:
        message = message_from_bytes((self._folder / f"{name}.eml").read_bytes(), EmailMessage, policy=default)
        return StoredMail(
            id=name,
            to=str(message["To"]),
            subject=str(message["Subject"]),
            text=_part(message, "plain"),
            html=_part(message, "html"),
            sent_at=from_datetime(message["Date"].datetime),
            headers={key: str(value) for key, value in message.items()},
        )


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""
