"""Asynchronous, typed Python client of OpenMeet's JSON API. It relies only on the server's documented behaviour.

    async with OpenMeet("https://meet.example", token) as api:
        event = await api.events.create(NewEvent("Board games", "2027-03-02T18:00", "Europe/Berlin"))
        async for coming in api.events.coming(q="games"):
            ...

Requests that are retried because a response was lost have an effect only once, because each change carries an
idempotency key. Failures are raised as exceptions with the server's sentence (see ``errors``). Create the token on the
site, under Settings → API.
"""
