"""The details of an event in the demo town."""

import random
from datetime import datetime, timedelta

from openmeet.domain.events.model import Details
from openmeet.domain.events.rules import Submission, check
from programs.demo.gathering import EventTemplate, EventTexts
from programs.demo.town import COUNTRY, PRICES, TOWN, ZONE


def details_of(dice: random.Random, gathering: EventTemplate, happening: EventTexts, day: datetime) -> Details:
    """The event on this day, at one of its venues."""
    hour, minute = map(int, gathering.start.split(":"))
    starts = day.replace(hour=hour, minute=minute)
    where = {"mode": "online", "online_url": "https://meet.demo.example/room"}
    if gathering.venues:
        venue = dice.choice(gathering.venues)
        where = {
            "venue_name": venue.name,
            "street": venue.street,
            "locality": TOWN,
            "country": COUNTRY,
            "point": venue.point,
        }
    return check(
        Submission(
            **{
                "title": happening.title,
                "description": happening.text,
                "categories": gathering.topic,
                "languages": happening.language,
                "starts": starts.isoformat(timespec="minutes"),
                "ends": (starts + timedelta(minutes=gathering.length)).isoformat(timespec="minutes"),
                "time_zone": ZONE,
                "capacity": str(gathering.places or ""),
                "price": PRICES[happening.language].get(gathering.topic, ""),
                **where,
            }
        )
    )
