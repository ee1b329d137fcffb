"""Cards of events in lists of pages, with their badges."""

import re

from groundwork.database.transaction import Database
from openmeet.domain.moderation import visibility
from openmeet.domain.moderation.model import SubjectVisibility
from openmeet.network.records.message import RecordMessage
from tests.openmeet.ingestion.view import apply_messages


async def apply_and_release(db: Database, *messages: RecordMessage) -> None:
    await apply_messages(db, *messages)
    async with db.transaction() as tx:
        await visibility.release(tx, [one.did for one in messages], SubjectVisibility.ARRIVAL)


def badges_in(text: str) -> list[str]:
    """The texts of all chips, in order."""
    return re.findall(r'<span class="chip[^"]*">([^<]*)</span>', text)


def badges_of_card(text: str, title: str) -> list[str]:
    found = next(one for one in text.split('<article class="event-card') if f">{title}<" in one)
    # A good badge begins with a tick.
    return badges_in(re.sub(r"<svg.*?</svg>\s*", "", found.split("</article>")[0]))
