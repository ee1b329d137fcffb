"""What the fields of an event are called, in forms, in error summaries and in the API's documentation."""

LABELS = {
    "title": "Title",
    "starts": "Starts",
    "ends": "Ends",
    "time_zone": "Time zone",
    "description": "Description",
    "mode": "How do people meet?",
    "venue_name": "Name of the place",
    "street": "Street and number",
    "postal_code": "Postal code",
    "locality": "Town",
    "region": "State or region",
    "country": "Country",
    "online_url": "Link to join",
    "online_url_audience": "Who sees the link to join?",
    "capacity": "Number of places",
    "visibility": "Who can see this event?",
}
