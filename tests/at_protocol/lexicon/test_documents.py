"""Our Lexicon documents against the published ones, field by field."""

import json
from pathlib import Path

import pytest
from tests.parts import fixture_path, needs

from at_protocol.lexicon.authority import OWN_AUTHORITY, own_name, own_spellings
from at_protocol.lexicon.catalog import DOCUMENTS, Catalog
from at_protocol.lexicon.document import Document
from at_protocol.lexicon.linter import parse_document

OURS = {".".join(path.relative_to(DOCUMENTS).with_suffix("").parts): path for path in DOCUMENTS.rglob("*.json")}
PUBLISHED = fixture_path("lexicons")

# Words for people, not rules: ours are our own or absent.
PROSE = {"description", "title", "title:lang", "detail", "detail:lang"}


def facts(schema: object, *, names: bool = False) -> object:
    """A schema without its prose; under ``properties`` and ``defs`` the keys are names, so nothing is left out."""
    if isinstance(schema, dict):
        return {
            key: facts(inner, names=not names and key in {"properties", "defs"})
            for key, inner in schema.items()
            if names or key not in PROSE
        }
    return [facts(inner) for inner in schema] if isinstance(schema, list) else schema


def published(nsid: str) -> Path:
    return PUBLISHED / (nsid.replace(".", "/") + ".json")


# Record types that people write and that are not among the collected Lexicons.
UNCOLLECTED = {"chat.bsky.actor.declaration"}


@needs("fixtures")
@pytest.mark.parametrize(
    "nsid", sorted(nsid for nsid in OURS if not nsid.startswith(OWN_AUTHORITY) and nsid not in UNCOLLECTED)
)
def test_document_equals_the_published_one(nsid):
    """Identifiers, fields, types and limits are facts of the network; a wrong one refuses somebody's record."""
    theirs = json.loads(published(nsid).read_bytes())
    theirs.pop("$type", None)
    assert facts(json.loads(OURS[nsid].read_bytes())) == facts(theirs)


@needs("fixtures")
@pytest.mark.parametrize(("folder", "count"), [("com/atproto", 95), ("community/lexicon", 17)])
def test_whole_families_are_built_in(folder, count):
    """Every document of the families that this server speaks is here."""
    names = {
        ".".join(path.relative_to(PUBLISHED).with_suffix("").parts) for path in (PUBLISHED / folder).rglob("*.json")
    }
    assert len(names) == count
    assert names <= OURS.keys()


@needs("fixtures")
def test_every_published_record_type_is_built_in():
    """Whatever record type of the collected Lexicons people write, a write of it can be validated."""
    for path in PUBLISHED.rglob("*.json"):
        document = json.loads(path.read_bytes())
        if document["defs"].get("main", {}).get("type") == "record":
            assert document["id"] in OURS


@pytest.mark.parametrize("nsid", sorted(OURS))
def test_document_passes_the_linter(nsid):
    """What we demand of foreign documents holds for ours, and each is named like its file."""
    assert parse_document(OURS[nsid].read_bytes()).id == nsid


@pytest.mark.parametrize("nsid", sorted(OURS))
def test_every_reference_leads_somewhere(nsid):
    """No value can meet a reference to a definition that is missing here."""
    catalog = Catalog()
    for reference in references(json.loads(OURS[nsid].read_bytes())["defs"]):
        full = nsid + reference if reference.startswith("#") else reference
        catalog.definition(full.removesuffix("#main"))


def references(schema: object) -> list[str]:
    if isinstance(schema, dict):
        here = [schema["ref"]] if schema.get("type") == "ref" else list(schema.get("refs", []))
        return here + [found for inner in schema.values() for found in references(inner)]
    return [found for inner in schema for found in references(inner)] if isinstance(schema, list) else []


def test_every_file_is_found_by_name():
    """The catalog lists exactly the files."""
    assert Catalog().names() == sorted(OURS)


def test_unknown_name_is_not_found():
    """An unknown NSID is None; a hostile one never becomes a path."""
    catalog = Catalog()
    assert catalog.find("com.example.unknown") is None
    assert catalog.find("../../../../etc/passwd") is None
    assert catalog.text("com/atproto/repo/createRecord") is None


def test_documents_are_read_on_first_use(monkeypatch):
    """Making a catalog reads nothing: start-up parses no schema."""

    def refuse(_path):
        raise AssertionError("read")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert Catalog().find("com.example.unknown") is None


def test_operator_may_rename_our_authority():
    """With an authority of their own, operators serve our documents under it, references included."""
    catalog = Catalog("org.example.events")
    document = catalog.find("org.example.events.seriesLink")
    assert isinstance(document, Document)
    assert document.id == "org.example.events.seriesLink"
    assert catalog.find(own_name("series")) is None


def test_readers_know_every_spelling():
    """The one we write comes first, then what other installations may write."""
    assert own_spellings("series") == ("openmeet.lexicon.series", "net.openmeet.series")
    assert own_spellings("series", "org.example")[0] == "org.example.series"


def test_added_document_is_known():
    """What a resolver fetched counts like a built-in one, and a newer version replaces it at once."""
    catalog = Catalog()
    text = (
        '{"lexicon":1,"id":"com.example.note","defs":{"main":{"type":"record","key":"tid","record":{"type":"object"}}}}'
    )
    catalog.add(parse_document(text))
    assert catalog.find_record("com.example.note") is not None
    assert "com.example.note" in catalog.names()
