"""Fields of the form for events, as a browser sends them."""

EVENT_FORM = {
    "title": "Board games",
    "starts": "2026-07-04T18:00",
    "ends": "2026-07-04T20:00",
    "time_zone": "Europe/Berlin",
    "mode": "in_person",
    "visibility": "public",
    "online_url_audience": "attendees",
    "venue_name": "Town library",
}
DRAFT_FORM = {
    "title": "Board games",
    "starts": "2026-07-04T18:00",
    "time_zone": "Europe/Berlin",
    "mode": "in_person",
    "visibility": "public",
    "online_url_audience": "attendees",
}
