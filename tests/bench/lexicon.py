"""Validate a record against its Lexicon, compared with the models of the public Python SDK."""

from collections.abc import Iterator

from at_protocol.failures import Malformed
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.validate import validate_record
from tests.bench.captured import EVENT, POST
from tests.bench.figure import Figure, Peer, check
from tests.bench.timing import progress, rate, rates


def measure() -> Iterator[Figure]:
    catalog = Catalog()
    event, post = EVENT["$type"], POST["$type"]
    validate_record(catalog, event, EVENT)
    check(_is_refused(catalog, {**EVENT, "startsAt": "on Thursday"}), "an event with a wrong date is accepted")
    yield Figure("validate a calendar event", rate(lambda: validate_record(catalog, event, EVENT)), "/s")

    progress("loading the public SDK")
    from atproto_client import models  # imported here because it takes a second

    validate_record(catalog, post, POST)
    model = models.AppBskyFeedPost.Record
    check(models.get_or_create(POST, model).created_at == POST["createdAt"], "the SDK parses the date differently")
    ours, theirs = rates(lambda: validate_record(catalog, post, POST), lambda: models.get_or_create(POST, model))
    yield Figure("validate a post", ours, "/s", peer=Peer("atproto SDK", theirs))


def _is_refused(catalog: Catalog, record: object) -> bool:
    try:
        validate_record(catalog, EVENT["$type"], record)
    except Malformed:
        return True
    return False
