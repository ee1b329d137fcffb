"""The e-mails that a PDS in development mode has sent."""

import asyncio
import re

from groundwork.clock import SECOND
from groundwork.mail.address import parse_address
from groundwork.mail.contract import Sender
from groundwork.mail.folder import FolderMailbox, StoredMail
from tests.aurora_locus.deployment import Deployment
from tests.timeouts import TIMEOUT_SECONDS

_UNPAID = "select count(*) from outbox_jobs where state <> 'completed'"


async def emails_to(deployment: Deployment, to: str) -> list[StoredMail]:
    """All of them, newest first, once nothing is queued."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while await _undelivered(deployment):  # noqa: ASYNC110 - the server's own task delivers them, and tells nobody
            await asyncio.sleep(0.01)
    sender = Sender("test", parse_address("test@example.org"))
    mailbox = FolderMailbox(deployment.settings.data_directory / "mail", sender, deployment.clock)
    return await mailbox.newest(to=to)


async def newest_token(deployment: Deployment, to: str) -> str:
    """The token from the newest e-mail; later e-mails get a later time."""
    newest, *_ = await emails_to(deployment, to)
    deployment.clock.turn(SECOND)
    found = re.search(r"^    ([A-Z2-7]{5}-[A-Z2-7]{5})$", newest.text, re.MULTILINE)
    assert found is not None
    return found[1]


async def _undelivered(deployment: Deployment) -> int:
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one(_UNPAID)
    assert row is not None
    return int(row[0])
