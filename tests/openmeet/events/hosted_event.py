"""An event of Ana's, with Ben as its co-host."""

from openmeet.domain.events import co_hosts, drafts
from openmeet.domain.events.rules import Submission
from tests.openmeet.site_under_test import event_by, person


async def create_event_with_co_host(tx, *, draft: bool = False, **typed: str):
    """Ana's event, with Ben as co-host."""
    ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
    if draft:
        event = await drafts.begin(tx, ana, Submission(title="Board games"), {})
    else:
        event = await event_by(tx, ana, **typed)
    one = await co_hosts.invite(tx, ana, event.slug, "ben@example.org")
    await co_hosts.accept(tx, ben, one.id)
    return ana, ben, event
