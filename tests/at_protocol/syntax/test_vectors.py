"""Every line of the published identifier lists exactly as written; in many, spaces are part of the case."""

import pytest
from tests.external_dependencies import fixture_lines, fixture_path, needs

from at_protocol.failures import Malformed
from at_protocol.syntax.at_identifier import parse_at_identifier
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.cid_text import parse_cid_text
from at_protocol.syntax.datetime import parse_datetime
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.handle import parse_handle
from at_protocol.syntax.language import parse_language, parse_valid_language
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import parse_tid
from at_protocol.syntax.uri import parse_uri

FOLDER = "vectors/interop/syntax"
VALID = {
    f"{FOLDER}/atidentifier_syntax_valid.txt": parse_at_identifier,
    f"{FOLDER}/aturi_syntax_valid.txt": parse_at_uri,
    f"{FOLDER}/cid_syntax_valid.txt": parse_cid_text,
    f"{FOLDER}/datetime_syntax_valid.txt": parse_datetime,
    f"{FOLDER}/did_syntax_valid.txt": parse_did,
    f"{FOLDER}/handle_syntax_valid.txt": parse_handle,
    f"{FOLDER}/language_syntax_valid.txt": parse_valid_language,
    f"{FOLDER}/nsid_syntax_valid.txt": parse_nsid,
    f"{FOLDER}/recordkey_syntax_valid.txt": parse_record_key,
    f"{FOLDER}/tid_syntax_valid.txt": parse_tid,
    f"{FOLDER}/uri_syntax_valid.txt": parse_uri,
    "vectors/indigo/syntax/language_syntax_valid.txt": parse_valid_language,
}
INVALID = {
    f"{FOLDER}/atidentifier_syntax_invalid.txt": parse_at_identifier,
    f"{FOLDER}/aturi_syntax_invalid.txt": parse_at_uri,
    f"{FOLDER}/cid_syntax_invalid.txt": parse_cid_text,
    f"{FOLDER}/datetime_syntax_invalid.txt": parse_datetime,
    f"{FOLDER}/datetime_parse_invalid.txt": parse_datetime,
    f"{FOLDER}/did_syntax_invalid.txt": parse_did,
    f"{FOLDER}/handle_syntax_invalid.txt": parse_handle,
    f"{FOLDER}/language_syntax_invalid.txt": parse_language,
    f"{FOLDER}/language_parse_invalid.txt": parse_valid_language,
    f"{FOLDER}/nsid_syntax_invalid.txt": parse_nsid,
    f"{FOLDER}/recordkey_syntax_invalid.txt": parse_record_key,
    f"{FOLDER}/tid_syntax_invalid.txt": parse_tid,
    f"{FOLDER}/uri_syntax_invalid.txt": parse_uri,
}


def _cases(table):
    return [
        pytest.param(file, text, id=f"{file.rpartition('/')[2]}:{number}")
        for file in table
        for number, text in fixture_lines(file)
    ]


VALID_CASES = _cases(VALID)
INVALID_CASES = _cases(INVALID)


@pytest.mark.parametrize("file, text", VALID_CASES)
def test_valid_identifiers_are_kept_as_written(file, text):
    """Valid identifiers are accepted and kept as written, except for the case of handles."""
    parsed = VALID[file](text)
    if parsed is not None and not isinstance(parsed, int):
        assert str(parsed).lower() == text.lower()


@pytest.mark.parametrize("file, text", INVALID_CASES)
def test_invalid_identifiers_are_refused(file, text):
    with pytest.raises(Malformed):
        INVALID[file](text)


@needs("fixtures")
def test_every_list_is_read_to_its_last_line():
    """Every list is run completely: each file is in a table above and has as many cases as lines that are not comments."""
    on_disk = {
        path.relative_to(fixture_path("")).as_posix()
        for folder in (FOLDER, "vectors/indigo/syntax")
        for path in fixture_path(folder).glob("*.txt")
    }
    assert on_disk == VALID.keys() | INVALID.keys()
    for file in on_disk:
        content = fixture_path(file).read_bytes().split(b"\n")
        expected = sum(1 for line in content if line and not line.startswith(b"#"))
        cases = VALID_CASES + INVALID_CASES
        assert sum(1 for case in cases if case.values[0] == file) == expected > 0, file


# A URI may contain letters of any script: the format requires only a scheme and no spaces.
CHANGES = ["{}\n", "\n{}", " {}", "{} ", "{}\x00"]
CHANGES_OF_SCRIPT = ["{}\u00e9", "{}\u0661", "{}\uff11"]


@pytest.mark.parametrize(
    "file, text",
    [
        pytest.param(file, change.format(text), id=f"{file.rpartition('/')[2]}:{number}:{place}")
        for file, parse in VALID.items()
        for number, text in fixture_lines(file)[:3]
        for place, change in enumerate(CHANGES if parse is parse_uri else CHANGES + CHANGES_OF_SCRIPT)
    ],
)
def test_nothing_is_trimmed_or_folded(file, text):
    """Nothing is trimmed or folded: a line break, a space or a digit of another script next to a valid identifier makes
    it invalid.
    """
    with pytest.raises(Malformed):
        VALID[file](text)
