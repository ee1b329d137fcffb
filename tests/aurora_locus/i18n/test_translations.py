"""The catalogue has no banned words, and each of its languages is complete, with the same parameters and tags."""

from checks.messages import Server

from aurora_locus.i18n.catalogue import CATALOGUE, speaking
from aurora_locus.i18n.sentences import explain, localizable
from aurora_locus.web.site import formatting
from groundwork.clock import Instant
from tests import translations


def test_translations_keep_parameters_tags_and_forms() -> None:
    translations.kept(CATALOGUE)


def test_every_message_has_a_translation_in_every_language() -> None:
    translations.complete(CATALOGUE)
    assert "de" in translations.missing(CATALOGUE)


def test_every_message_is_found() -> None:
    translations.all_found(Server("aurora_locus", "Aurora Locus"))


def test_numbers_always_have_their_plural() -> None:
    translations.counted(Server("aurora_locus", "Aurora Locus"))


def test_german_has_no_banned_word() -> None:
    translations.good_german(CATALOGUE)


def test_no_sentence_has_a_banned_word() -> None:
    translations.good_english(CATALOGUE)


def test_dates_and_amounts_are_german() -> None:
    with speaking("de"):
        assert "1.\xa0Januar 1970, 00:00\xa0Uhr UTC" in formatting.day_and_time(Instant(0))
        assert "vor 3 Minuten" in formatting.ago(Instant(0), Instant(180_000_000))
        assert (formatting.size(1_234_567), formatting.size(1), formatting.number(1234)) == (
            "1,2 MB",
            "1 Byte",
            "1.234",
        )
    assert (formatting.size(1_234_567), formatting.size(999), formatting.size(1_000)) == ("1.2 MB", "999 bytes", "1 kB")


def test_a_refusal_is_german_on_pages_and_english_for_programs() -> None:
    plain, filled = (
        "This name is reserved. Choose another one.",
        localizable("Type a number from 1 to %(most)s.", most=9),
    )
    assert (explain(plain), explain(filled)) == (plain, "Type a number from 1 to 9.")
    with speaking("de"):
        assert (explain(plain), explain(filled)) == (
            "Dieser Name ist reserviert. Wähle einen anderen.",
            "Gib eine Zahl von 1 bis 9 ein.",
        )
        assert explain("A sentence that is in no catalogue: 100 %") == "A sentence that is in no catalogue: 100 %"


def test_several_reasons_are_sentences_one_after_the_other() -> None:
    refusal = localizable(
        "The identity of this account doesn’t fit this server. %(reasons)s",
        reasons=(
            localizable("Its rotation keys must include %(key)s.", key="did:key:z1"),
            localizable("Its server (%(name)s) must be %(url)s.", name="atproto_pds", url="https://pds.example"),
        ),
    )
    assert explain(refusal) == (
        "The identity of this account doesn’t fit this server. Its rotation keys must include did:key:z1. "
        "Its server (atproto_pds) must be https://pds.example."
    )
    with speaking("de"):
        assert explain(refusal) == (
            "Die Identität dieses Kontos passt nicht zu diesem Server. Die Rotationsschlüssel der Identität müssen "
            "did:key:z1 enthalten. Der Server der Identität (atproto_pds) muss https://pds.example sein."
        )
