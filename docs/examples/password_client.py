"""Open a session with a password, write an event to your own repository, and read it back.

    python docs/examples/password_client.py http://localhost:3000 ana.test PASSWORD

Needs the public Python SDK (``pip install atproto``), which contains no code for OpenMeet.
"""

import sys
from datetime import UTC, datetime, timedelta

from atproto import Client, models

COLLECTION = "community.lexicon.calendar.event"


def main(service: str, handle: str, password: str) -> None:
    client = Client(base_url=f"{service}/xrpc")
    client.login(handle, password, fetch_bsky_profile=False)
    did = client.com.atproto.server.get_session().did

    starts = datetime.now(UTC) + timedelta(days=7)
    written = client.com.atproto.repo.create_record(
        models.ComAtprotoRepoCreateRecord.Data(
            repo=did,
            collection=COLLECTION,
            record={
                "$type": COLLECTION,
                "name": "Board games at the library",
                "createdAt": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "startsAt": starts.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            },
        )
    )
    rkey = written.uri.rsplit("/", 1)[1]
    read = client.com.atproto.repo.get_record(
        models.ComAtprotoRepoGetRecord.Params(repo=did, collection=COLLECTION, rkey=rkey)
    )
    assert read.cid == written.cid
    print(read.uri)
    print(read.value["name"])


if __name__ == "__main__":
    main(*sys.argv[1:4])
