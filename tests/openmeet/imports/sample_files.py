"""Files of other services that people import."""

TWO_EVENTS_CALENDAR = "\r\n".join(
    [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//test//EN",
        *("BEGIN:VEVENT", "UID:one@x", "DTSTAMP:20260101T000000Z", "DTSTART:20260704T180000Z", "SUMMARY:Café talk"),
        "END:VEVENT",
        *("BEGIN:VEVENT", "UID:two@x", "DTSTAMP:20260101T000000Z", "DTSTART:20260705T180000Z", "SUMMARY:Yoga"),
        *("RRULE:FREQ=WEEKLY", "END:VEVENT", "END:VCALENDAR", ""),
    ]
)
LUMA_GUESTS = (
    "api_id,name,first_name,last_name,email,phone_number,created_at,approval_status,custom_source,checked_in_at\n"
    'gst-1,"Silva, Ana",Ana,Silva,Ana@Example.org,,2026-02-01T00:00:00Z,approved,,\n'
    "gst-2,,Ben,Okri,ben@example.org,,2026-02-01T00:00:00Z,declined,,\n"
    "gst-3,Twice,,,ana@example.org,,,approved,,\n"
    "gst-4,Nobody,,,not an address,,,invited,,\n"
)
