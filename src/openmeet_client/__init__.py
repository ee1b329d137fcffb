"""OpenMeet's JSON API for Python programs: typed, asynchronous, knowing nothing of the server but its documentation.

    async with OpenMeet("https://meet.example", token) as api:
        event = await api.events.create(NewEvent("Board games", "2027-03-02T18:00", "Europe/Berlin"))
        async for coming in api.events.coming(q="games"):
            ...

What is sent twice because an answer was lost has one effect: each change carries a key. Failures are exceptions with the server's
sentence (``problems``). The token is made on the site, under Settings → API.
"""
