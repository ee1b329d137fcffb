"""What a person's record would look like, to be shown before they say yes."""

import json

from at_protocol.data import json_form
from groundwork.clock import DAY, HOUR, Instant
from groundwork.database.transaction import Reader
from openmeet.events import queries as event_queries
from openmeet.events.model import Mode, Status, Venue
from openmeet.publication.publisher import page_of
from openmeet.records.event_writing import Publishable, publishable, write_event
from openmeet.users.model import UserId

NEWEST_PUBLIC = """
    select id from events
     where author_id = :user_id and visibility = 'public' and deleted_at is null and removed_at is null
     order by created_at desc, id desc limit 1
"""


async def preview(reader: Reader, user_id: UserId, *, instance: str) -> str:
    """The record of their newest public event as JSON for people; of an example where they have none."""
    row = await reader.fetch_one(NEWEST_PUBLIC, user_id=user_id)
    event = None if row is None else await event_queries.by_id(reader, row["id"])
    if event is None:
        ours = _example(reader.now, instance)
    else:
        ours = publishable(event, instance=instance, page_url=page_of(instance, event))
    return json.dumps(json_form.to_json(write_event(ours, None)), ensure_ascii=False, indent=2)


def _example(now: Instant, instance: str) -> Publishable:
    starts_at = Instant(now + 7 * DAY)
    return Publishable(
        title="An example: tea in the park",
        description="Bring a cup.",
        starts_at=starts_at,
        ends_at=Instant(starts_at + 2 * HOUR),
        time_zone="UTC",
        mode=Mode.IN_PERSON,
        status=Status.SCHEDULED,
        venue=Venue(name="The park", locality="Your town", country="AT"),
        online_url="",
        created_at=now,
        page_url=f"{instance}/events/example",
        instance=instance,
        event_id="example",
        revision=1,
    )
