"""Write events to a repository until enough have been acknowledged, logging each acknowledgement to disk immediately.

    python -m tests.system.tour.write_events PDS DID TOKEN COUNT LOG

It waits while the server is unavailable. A write whose response was lost is not repeated and not counted.
"""

import os
import sys
import time
from pathlib import Path

import httpx

from tests.system.tour.dates import in_weeks

COLLECTION = "community.lexicon.calendar.event"
TIMEOUT_SECONDS = 120.0


def main(url: str, did: str, token: str, count: str, log: str) -> int:
    """Write the events. The exit status is 1 if the server stays unavailable."""
    done, since = 0, time.monotonic()
    with Path(log).open("a", encoding="ascii") as file, httpx.Client(base_url=url) as http:
        while done < int(count):
            record = {
                "$type": COLLECTION,
                "name": f"Kill test {done:03}",
                "createdAt": "2026-11-20T12:00:00Z",
                "startsAt": in_weeks(26, "12:00:00Z"),
            }
            try:
                answer = http.post(
                    "/xrpc/com.atproto.repo.createRecord",
                    json={"repo": did, "collection": COLLECTION, "record": record},
                    headers={"authorization": f"Bearer {token}"},
                )
                answer.raise_for_status()
            except httpx.HTTPError:
                if time.monotonic() - since > TIMEOUT_SECONDS:
                    return 1
                time.sleep(0.05)
                continue
            file.write(f"{answer.json()['uri']} {answer.json()['cid']}\n")
            file.flush()
            os.fsync(file.fileno())
            done, since = done + 1, time.monotonic()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:6]))
