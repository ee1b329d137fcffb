"""Our Lexicon documents compared with the published ones, field by field."""

import json
from pathlib import Path

import pytest
from tests.external_dependencies import fixture_path, needs

from at_protocol.lexicon.authority import OWN_AUTHORITY, own_name, own_spellings
from at_protocol.lexicon.catalog import DOCUMENTS, Catalog
from at_protocol.lexicon.document import Document
from at_protocol.lexicon.linter import parse_document

OURS = {".".join(path.relative_to(DOCUMENTS).with_suffix("").parts): path for path in DOCUMENTS.rglob("*.json")}
PUBLISHED = fixture_path("lexicons")

# Descriptions for people, not rules. Our documents have their own descriptions or none.
PROSE = {"description", "title", "title:lang", "detail", "detail:lang"}


def facts(schema: object, *, names: bool = False) -> object:
    """A schema without its prose. Below ``properties`` and ``defs`` the keys are names, so none are removed."""
    if isinstance(schema, dict):
        return {
            key: facts(inner, names=not names and key in {"properties", "defs"})
            for key, inner in schema.items()
            if names or key not in PROSE
        }
    return [facts(inner) for inner in schema] if isinstance(schema, list) else schema


def published(nsid: str) -> Path:
    return PUBLISHED / (nsid.replace(".", "/") + ".json")


# Documents that are not among the collected Lexicons: record types that people write (of all but the first,
# ``tests/interop/parity`` compares what is valid with the reference PDS), and any method that only this server has.
UNCOLLECTED = {
    "chat.bsky.actor.declaration",
    "app.bsky.graph.referencelistoptout",
    "com.germnetwork.declaration",
    "site.standard.document",
    "site.standard.graph.recommend",
    "site.standard.graph.subscription",
    "site.standard.publication",
    "site.standard.theme.basic",
    "site.standard.theme.color",
}


@needs("fixtures")
@pytest.mark.parametrize(
    "nsid", sorted(nsid for nsid in OURS if not nsid.startswith(OWN_AUTHORITY) and nsid not in UNCOLLECTED)
)
def test_document_equals_the_published_one(nsid):
    """Each document equals the published one in identifiers, fields, types and limits; a difference could refuse
    somebody's valid record.
    """
    theirs = json.loads(published(nsid).read_bytes())
    theirs.pop("$type", None)
    assert facts(json.loads(OURS[nsid].read_bytes())) == facts(theirs)


@needs("fixtures")
@pytest.mark.parametrize(("folder", "count"), [("com/atproto", 95), ("community/lexicon", 17)])
def test_every_document_of_our_families_is_built_in(folder, count):
    """Every document of the families that this server implements is built in."""
    names = {
        ".".join(path.relative_to(PUBLISHED).with_suffix("").parts) for path in (PUBLISHED / folder).rglob("*.json")
    }
    assert len(names) == count
    assert names <= OURS.keys()


@needs("fixtures")
def test_every_published_record_type_is_built_in():
    """Every record type of the collected Lexicons is built in, so that a write can be validated."""
    for path in PUBLISHED.rglob("*.json"):
        document = json.loads(path.read_bytes())
        if document["defs"].get("main", {}).get("type") == "record":
            assert document["id"] in OURS


@pytest.mark.parametrize("nsid", sorted(OURS))
def test_document_passes_the_linter(nsid):
    """Our documents pass the linter that we apply to foreign documents, and are named like their file."""
    assert parse_document(OURS[nsid].read_bytes()).id == nsid


@pytest.mark.parametrize("nsid", sorted(OURS))
def test_every_reference_has_a_definition(nsid):
    """Every reference points to a definition in the catalog."""
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
    """The catalog lists exactly the files of its folder."""
    assert Catalog().names() == sorted(OURS)


def test_unknown_name_is_not_found():
    """An unknown NSID gives None, and a hostile one is never used as a path."""
    catalog = Catalog()
    assert catalog.find("com.example.unknown") is None
    assert catalog.find("../../../../etc/passwd") is None
    assert catalog.text("com/atproto/repo/createRecord") is None


def test_documents_are_read_on_first_use(monkeypatch):
    """Creating a catalog reads no file, so that start-up parses no schema."""

    def refuse(_path):
        raise AssertionError("read")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert Catalog().find("com.example.unknown") is None


def test_documents_are_served_under_the_operators_authority():
    """An operator with an authority of their own can serve our documents under it, including references."""
    catalog = Catalog("org.example.events")
    document = catalog.find("org.example.events.seriesLink")
    assert isinstance(document, Document)
    assert document.id == "org.example.events.seriesLink"
    assert catalog.find(own_name("series")) is None


def test_readers_accept_every_spelling_of_our_types():
    """Readers accept every spelling of our types: first the one that we write, then those of other installations."""
    assert own_spellings("series") == ("openmeet.lexicon.series", "net.openmeet.series")
    assert own_spellings("series", "org.example")[0] == "org.example.series"


def test_added_document_is_used_at_once():
    """A document added by a resolver counts like a built-in one, and a newer version replaces it at once."""
    catalog = Catalog()
    text = (
        '{"lexicon":1,"id":"com.example.note","defs":{"main":{"type":"record","key":"tid","record":{"type":"object"}}}}'
    )
    catalog.add(parse_document(text))
    assert catalog.find_record("com.example.note") is not None
    assert "com.example.note" in catalog.names()
