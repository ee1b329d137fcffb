"""Lexicon documents as typed values: the type table of the language, version 1.

Reading is strict about the fields that the language defines and ignores unknown fields, because published documents
carry ``$type`` and can contain future fields. Types that cannot be named definitions (``params``, ``permission``,
``ref``, ``union``, ``unknown``) are not part of ``Definition``. ``linter`` has the rules that go beyond shapes;
``parse_document`` applies both.
"""

from typing import Literal

import msgspec
from msgspec import Struct, field

from at_protocol.failures import Malformed

# A schema fetched from someone else's repository is untrusted input. (Our limit for every fetched document.)
MAX_DOCUMENT_BYTES = 512 * 1024


class _Type(Struct, frozen=True, kw_only=True, tag_field="type", rename="camel"):
    description: str | None = None


class BooleanType(_Type, frozen=True, kw_only=True, tag="boolean"):
    default: bool | None = None
    const: bool | None = None


class IntegerType(_Type, frozen=True, kw_only=True, tag="integer"):
    minimum: int | None = None
    maximum: int | None = None
    enum: tuple[int, ...] | None = None
    default: int | None = None
    const: int | None = None


class StringType(_Type, frozen=True, kw_only=True, tag="string"):
    """``max_length`` and ``min_length`` count bytes of UTF-8. The grapheme limits count UAX 29 clusters."""

    format: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_graphemes: int | None = None
    max_graphemes: int | None = None
    known_values: tuple[str, ...] | None = None
    enum: tuple[str, ...] | None = None
    default: str | None = None
    const: str | None = None


class BytesType(_Type, frozen=True, kw_only=True, tag="bytes"):
    min_length: int | None = None
    max_length: int | None = None


class LinkType(_Type, frozen=True, kw_only=True, tag="cid-link"):
    pass


class BlobType(_Type, frozen=True, kw_only=True, tag="blob"):
    accept: tuple[str, ...] | None = None
    max_size: int | None = None


class ArrayType(_Type, frozen=True, kw_only=True, tag="array"):
    items: "Field"
    min_length: int | None = None
    max_length: int | None = None


class ObjectType(_Type, frozen=True, kw_only=True, tag="object"):
    # The specification requires ``properties``, but its own test schemas omit it. If absent, it is empty.
    properties: dict[str, "Field"] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    nullable: tuple[str, ...] = ()


class TokenType(_Type, frozen=True, kw_only=True, tag="token"):
    pass


class RefType(_Type, frozen=True, kw_only=True, tag="ref"):
    ref: str


class UnionType(_Type, frozen=True, kw_only=True, tag="union"):
    refs: tuple[str, ...]
    closed: bool = False


class UnknownType(_Type, frozen=True, kw_only=True, tag="unknown"):
    pass


class ParamsType(_Type, frozen=True, kw_only=True, tag="params"):
    properties: dict[str, "BooleanType | IntegerType | StringType | ArrayType | UnknownType"] = field(
        default_factory=dict
    )
    required: tuple[str, ...] = ()


class Body(Struct, frozen=True, kw_only=True):
    """A request or response body. Without ``schema``, any bytes of that encoding are valid (it can be ``*/*``)."""

    encoding: str
    schema: ObjectType | RefType | UnionType | None = None
    description: str | None = None


class NamedError(Struct, frozen=True, kw_only=True):
    name: str
    description: str | None = None


class LexiconMessage(Struct, frozen=True, kw_only=True):
    schema: UnionType
    description: str | None = None


class RecordType(_Type, frozen=True, kw_only=True, tag="record"):
    key: str
    record: ObjectType


class QueryType(_Type, frozen=True, kw_only=True, tag="query"):
    parameters: ParamsType | None = None
    output: Body | None = None
    errors: tuple[NamedError, ...] = ()


class ProcedureType(_Type, frozen=True, kw_only=True, tag="procedure"):
    parameters: ParamsType | None = None
    input: Body | None = None
    output: Body | None = None
    errors: tuple[NamedError, ...] = ()


class SubscriptionType(_Type, frozen=True, kw_only=True, tag="subscription"):
    message: LexiconMessage
    parameters: ParamsType | None = None
    errors: tuple[NamedError, ...] = ()


class PermissionSetType(_Type, frozen=True, kw_only=True, tag="permission-set"):
    """``permissions`` are kept as written, because a reader drops a permission that has a field it does not know."""

    permissions: tuple[dict[str, object], ...]
    title: str | None = None
    title_lang: dict[str, str] = field(default_factory=dict, name="title:lang")
    detail: str | None = None
    detail_lang: dict[str, str] = field(default_factory=dict, name="detail:lang")


Concrete = BooleanType | IntegerType | StringType | BytesType | LinkType | BlobType | ArrayType | ObjectType | TokenType
Primary = RecordType | QueryType | ProcedureType | SubscriptionType | PermissionSetType
Field = Concrete | RefType | UnionType | UnknownType
Definition = Concrete | Primary
Method = QueryType | ProcedureType | SubscriptionType


class Document(Struct, frozen=True, kw_only=True):
    """A Lexicon file. ``defs`` maps names to definitions; ``main`` is the one that the NSID itself refers to."""

    lexicon: Literal[1]
    id: str
    defs: dict[str, Definition]


_DECODER = msgspec.json.Decoder(Document)


def read_document(text: bytes | str) -> Document:
    """Read the JSON of a document, checking only shapes. Raises Malformed."""
    if len(text) > MAX_DOCUMENT_BYTES:
        raise Malformed("lexicon", f"{len(text)} bytes", f"larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
        raise Malformed("lexicon", text[:80], str(failure) or type(failure).__name__) from failure


def convert_document(value: object) -> Document:
    """Read a decoded document (the value of a ``com.atproto.lexicon.schema`` record), checking only shapes."""
    try:
        return msgspec.convert(value, Document)
    except (msgspec.ValidationError, RecursionError) as failure:
        raise Malformed("lexicon", value, str(failure) or type(failure).__name__) from failure


def full_reference(reference: str, nsid: str) -> str:
    """Expand a reference in document ``nsid`` to ``nsid`` or ``nsid#name`` (never ``#name``, never ``#main``)."""
    full = nsid + reference if reference.startswith("#") else reference
    return full.removesuffix("#main")
