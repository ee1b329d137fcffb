"""Protocol terms are for developers and operators. Pages and e-mails for everybody else use plain words."""

import re
from pathlib import Path
from typing import Final

from checks.messages import SERVERS

from tests.protocol_words import for_people, is_english_of_protocol, is_german_of_protocol, offenders

OPENMEET, AURORA_LOCUS = SERVERS
# Pages for operators, moderators and developers, API responses, and imports that an operator starts.
_OF_OPENMEET: Final = re.compile(
    r"web/(?:admin|moderation|webhooks|xrpc|api)/|web/account/(?:templates/)?tokens|domain/(?:api_tokens|legacy_import)/"
    # Reasons about incoming records, which operators and other servers read, and about API fields.
    r"|(?:record|ingestion|firehose|xrpc|moderation)\.|repository\.(?:bad|old)_"
    r"|user\.notice_needed|sign_in\.code_or_password_needed"
    # Kinds of jobs and feature flags, which only operators see.
    r"|outbox/kinds\.|feature_flags/flags\."
)
# Pages for operators, and times as operators read them. Account owners see these under “Technical details”. Whoever
# brings a domain sets DNS records, in which the terms stand.
_OF_AURORA_LOCUS: Final = re.compile(
    r"administration/|web/administration_pages/|moderation/|web/site/formatting|accounts/handle_change"
)


def test_pages_for_everybody_use_no_protocol_terms() -> None:
    assert list(offenders(OPENMEET, _OF_OPENMEET)) == []
    assert list(offenders(AURORA_LOCUS, _OF_AURORA_LOCUS)) == []


def test_words_are_found_in_both_languages() -> None:
    assert all(
        map(
            is_english_of_protocol,
            ("The record is gone.", "Your repository", "Times in UTC", "A DID", "on the network"),
        )
    )
    assert not any(
        map(is_english_of_protocol, ("Did you go?", "We recorded it", "It begins with did:key:", "Set PDS_URL"))
    )
    assert all(map(is_german_of_protocol, ("Der Datensatz ist weg.", "Repositorys", "Dein Handle", "im Netzwerk")))
    assert not any(map(is_german_of_protocol, ("Es handelt davon.", "Deine Daten", "Ein Eintrag")))


def test_technical_details_are_not_read() -> None:
    page = (
        b"<p>{% trans %}A record{% endtrans %}</p><details class='fold'><summary><span>{% trans %}Technical "
        b"details{% endtrans %}"
        b"</span></summary><p>{% trans %}A repository{% endtrans %}</p></details>"
    )
    read = for_people(Path("page.html"), page, _OF_OPENMEET)
    assert b"A record" in read
    assert b"repository" not in read
