"""How many of a crowd news reach, counted where the crowd is. The SQL of what ``preferences.addressees`` tells of each of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.notifications.model import Channel, Topic, defaults_of


@dataclass(frozen=True, slots=True)
class Reached:
    """``told``: people who hear of it at all, ``mailed``: those of them who get a mail, at once or in their digest."""

    told: int
    mailed: int


# Shadow accounts have no address and read nothing here; nobody signs in as a guest, so mail is all that reaches them
# (``preferences.addressee_of``).
_COUNT: Final = """
      , topics as ({topics})
      , reach as (
          select h.user_id,
                 case when u.kind = 'person' and coalesce(a.is_on, t.in_app) = 1 then 1 else 0 end as is_shown,
                 case when h.is_mailed = 1 and coalesce(u.email, g.email) is not null
                       and (coalesce(m.is_on, t.email) = 1 or coalesce(d.is_on, t.digest) = 1) then 1 else 0 end as gets_mail
            from heard h
            join topics t on t.topic = h.topic
            join users u on u.id = h.user_id
            left join guests g on g.user_id = u.id
            left join notification_preferences a on a.user_id = u.id and a.topic = t.topic and a.channel = 'in_app'
            left join notification_preferences m on m.user_id = u.id and m.topic = t.topic and m.channel = 'email'
            left join notification_preferences d on d.user_id = u.id and d.topic = t.topic and d.channel = 'digest')
    select count(distinct case when is_shown = 1 or gets_mail = 1 then user_id end) as told,
           count(distinct case when gets_mail = 1 then user_id end) as mailed
      from reach
"""
_TOPIC: Final = """select cast(:topic_{number} as text) as topic, cast(:in_app_{number} as integer) as in_app,
                 cast(:email_{number} as integer) as email, cast(:digest_{number} as integer) as digest"""


async def count(reader: Reader, crowd: str, parameters: Mapping[str, object], topics: Collection[Topic]) -> Reached:
    """``crowd``: a ``with`` clause, the last of which is ``heard (user_id, topic, is_mailed)``: who hears something about a topic,

    and whether that is worth a mail. Somebody in it several times counts once.
    """
    values = dict(parameters)
    rows = []
    for number, topic in enumerate(sorted(set(topics))):
        on = defaults_of(topic)
        values[f"topic_{number}"] = topic.value
        values |= {f"{channel.value}_{number}": int(on[channel]) for channel in Channel}
        rows.append(_TOPIC.format(number=number))
    row = await reader.fetch_one(crowd + _COUNT.format(topics=" union all ".join(rows)), **values)
    return Reached(0, 0) if row is None else Reached(int(row["told"]), int(row["mailed"]))
