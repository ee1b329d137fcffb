"""Series, group and origin of events, as JSON. Limited to what the viewer may know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from groundwork.database.transaction import Reader
from groundwork.http.json_names import json_name
from openmeet.domain.events.model import Event, EventId, RecordOrigin
from openmeet.domain.groups import queries as groups
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.groups.model import Group, GroupId
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series import visibility
from openmeet.domain.series.model import Series, SeriesId
from openmeet.domain.users.model import UserId
from openmeet.web.api.external_identity import RecordSource, sources_of
from openmeet.web.events.schemas import GroupNamed, SeriesNamed


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The series and groups of several events, as far as one viewer may see them."""

    series: Mapping[SeriesId, Series]
    groups: Mapping[GroupId, Group]
    sources: Mapping[EventId, RecordSource]
    public_url: str

    def fields(self, event: Event) -> dict[str, Any]:
        """The fields of ``EventOutput`` that do not come from the event itself."""
        place = event.place_in_series
        series = self.series.get(SeriesId(place.series_id)) if place else None
        group = self.groups.get(event.group.id) if event.group else None
        series_url = f"{self.public_url}/series/{quote(series.slug)}" if series else ""
        group_url = f"{self.public_url}/groups/{quote(group.slug)}" if group else ""
        return {
            "series": None if series is None else SeriesNamed(series.slug, series.content.title, series_url),
            "original_date": place.original_date if place and series else None,
            "is_modified_occurrence": bool(place and series and place.overridden),
            "differs_in": [json_name(name) for name in place.overridden] if place and series else [],
            "group": None if group is None else GroupNamed(group.slug, group.details.name, group_url),
            "source": self.sources[event.id],
        }


async def load_surroundings(
    reader: Reader, events: Sequence[Event], viewer: UserId | None, public_url: str
) -> Surroundings:
    """Load the series and groups of several events. The number of queries does not depend on the number of events."""
    series_ids = {SeriesId(event.place_in_series.series_id) for event in events if event.place_in_series is not None}
    series_by_id = await series_queries.by_ids(reader, sorted(series_ids)) if series_ids else {}
    existing_series = [one for one in series_by_id.values() if one.deleted_at is None]
    seen = {one.id: one for one in await visibility.seen(reader, existing_series, viewer)}
    group_ids = sorted({event.group.id for event in events if event.group is not None})
    all_groups = await groups.by_ids(reader, group_ids) if group_ids else {}
    roles = {} if viewer is None or not group_ids else await groups.roles_in(reader, group_ids, viewer)
    # An invited attendee may be allowed to see the event but not its group.
    visible = {id_: one for id_, one in all_groups.items() if group_rules.may_see(one, roles.get(id_))}
    records = [(event.origin is not RecordOrigin.NETWORK, event.record_uri) for event in events]
    sources = dict(zip([event.id for event in events], await sources_of(reader, records), strict=True))
    return Surroundings(seen, visible, sources, public_url)
