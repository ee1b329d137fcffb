"""Mark dates of series that have a time zone of their own, so that they keep it when the series changes.

Offsets and UTC come from records and imported files and not from a host who chose them.
"""

import sqlalchemy
from alembic import op

revision = "0058"
down_revision = "0057"

_DATES = """
select e.id, e.overridden_fields from events e join event_series s on s.id = e.series_id
 where e.time_zone <> s.time_zone and e.zone_source = 'named' and e.is_read_only = 0 and s.is_read_only = 0
   and e.time_zone <> 'UTC' and e.time_zone not like '+%' and e.time_zone not like '-%'
"""
_MARK = "update events set overridden_fields = :fields, is_modified_occurrence = 1 where id = :id"


def upgrade() -> None:
    connection = op.get_bind()
    marked = [
        {
            "id": row.id,
            "fields": ",".join(sorted({*filter(None, row.overridden_fields.split(",")), "time_zone"})),
        }
        for row in connection.execute(sqlalchemy.text(_DATES))
    ]
    if marked:
        connection.execute(sqlalchemy.text(_MARK), marked)
