"""Records of a known type whose texts have each string format of the Lexicons, well and badly formed."""

from typing import Any

from tests.interop.parity.sides import Side
from tests.interop.parity.writing import NO_COMMIT, NOT_HERE, POST, WHEN

_REPO = "com.atproto.repo"
_DID = "did:plc:" + "a" * 24
_DATE = "2020-01-01"

_DATETIMES = (
    *(f"{_DATE}T00:00:00{rest}" for rest in ("Z", ".1Z", ".1234567890123456789Z", "+00:00", "-00:00", "+24:00", "+01")),
    *(f"{_DATE}T00:00:00{rest}" for rest in ("+0100", "-23:60", ".Z", ",1Z", "Z ", "", "z", "Z\n")),
    *(
        f"{_DATE}{rest}"
        for rest in ("T24:00:00Z", "T23:59:60Z", "t00:00:00Z", " 00:00:00Z", "T00:00Z", "T00:60:00Z", "")
    ),
    *(
        f"{day}T00:00:00Z"
        for day in ("2020-02-30", "2020-13-01", "0000-01-01", "10000-01-01", "+2020-01-01", "2020-001")
    ),
    "٢٠٢٠-01-01T00:00:00Z",
)
_LANGUAGES = (
    *(
        "en",
        "EN",
        "en-US",
        "en_US",
        "zh-Hant-TW",
        "zh-min-nan",
        "i-klingon",
        "i-x",
        "x-private",
        "x-",
        "en-",
        "e",
        "und",
    ),
    *(
        "de-1996",
        "de-1901-1901",
        "sl-rozaj-biske-1994",
        "en-a-bbb-x-a-ccc",
        "en-a-foo-a-bar",
        "en-u-co-U-ca",
        "en-GB-oed",
    ),
    *("", "123", "a-DE", "de-419-DE", "abcdefgh", "abcdefghi", "en--US", " en"),
)
_URIS = (
    *(
        "https://example.org",
        "HTTPS://X",
        "https:",
        "https:/",
        "://x",
        "//x",
        "a:b",
        "a",
        "1a:b",
        "-a:b",
        "a1+-.:x",
        "",
    ),
    *(
        "javascript:alert(1)",
        "data:,x",
        "mailto:a@b",
        "urn:isbn:1",
        "file:///x",
        "https://exa mple.org",
        "https://é.org",
    ),
    *(
        "https://example.org/\n",
        "https://example.org/%zz",
        "https://[::1]",
        "ａ:b",
        "x:" + "a" * 8190,
        "x:" + "a" * 8191,
    ),
)
_AT_URIS = (
    *(
        f"at://{_DID}/{POST}/{key}"
        for key in ("x", "", ".", "..", "a%20b", "é", "x/y", "x?q=1", "x#", "x#/frag", "a" * 513)
    ),
    *(
        "at://a.test",
        "at://A.TEST",
        "at://a.test/",
        f"at://a.test/{POST}",
        "at://a.test/note/x",
        "AT://a.test",
        "at:/a.test",
    ),
    *("at://localhost", "at://1.2.3.4", "at://did:PLC:x", "at://did:plc:a:", "at://did:plc:a%", " at://a.test"),
)
_DIDS = (
    *(_DID, "did:plc:x", "did:web:a.b", "did:web:localhost%3A3000", "did:web:a:b", "did:example:a.b_c-d", "did:PLC:x"),
    *(
        "did:plc:",
        "did:plc:a:",
        "did:plc:a%",
        "did:plc:a/b",
        "did:plc:a#b",
        "DID:plc:x",
        "did::x",
        "did:p1c:x",
        "did:plc:é",
    ),
    *("did:plc:" + "a" * 2040, "did:plc:" + "a" * 2041, "did", "", "did:plc:a b"),
)
_CIDS = (
    *(NO_COMMIT, NOT_HERE, "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG", NO_COMMIT.upper(), f"{NO_COMMIT} "),
    *("zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA", "nonsense", "short", "", "not right at all!"),
)
_GRAPHEMES = ("é", "e\u0301", "🇩🇪", "👩‍👩‍👧‍👦", "각", "\r\n", "\u200d")
_MOST_GRAPHEMES = 300


async def formats(side: Side) -> None:
    """Posts and follows with one text in each format."""
    ada, _ = await side.person("formats")

    async def write(label: str, collection: str, **fields: Any) -> None:
        record = {"$type": collection, "createdAt": WHEN, **fields}
        body = {"repo": ada.did, "collection": collection, "record": record}
        await side.post(label, f"{_REPO}.createRecord", body, ada.access)

    for text in _DATETIMES:
        await write(f"the datetime {text!r}", POST, text="a", createdAt=text)
    for text in _LANGUAGES:
        await write(f"the language {text!r}", POST, text="a", langs=[text])
    for text in _URIS:
        card = {"uri": text, "title": "", "description": ""}
        embed = {"$type": "app.bsky.embed.external", "external": card}
        await write(f"the uri {text[:30]!r} ({len(text)})", POST, text="a", embed=embed)
    for text in _AT_URIS:
        embed = {"$type": "app.bsky.embed.record", "record": {"uri": text, "cid": NO_COMMIT}}
        await write(f"the at-uri {text[:70]!r}", POST, text="a", embed=embed)
    for text in _CIDS:
        embed = {"$type": "app.bsky.embed.record", "record": {"uri": f"at://{_DID}/{POST}/x", "cid": text}}
        await write(f"the cid {text[:30]!r}", POST, text="a", embed=embed)
    for text in _DIDS:
        await write(f"the did {text[:30]!r} ({len(text)})", "app.bsky.graph.follow", subject=text)


async def lengths(side: Side) -> None:
    """Posts whose text is as long as allowed, or longer, in graphemes of several code points."""
    ada, _ = await side.person("formats")
    for cluster in _GRAPHEMES:
        for count in (_MOST_GRAPHEMES, _MOST_GRAPHEMES + 1):
            record = {"$type": POST, "createdAt": WHEN, "text": cluster * count}
            body = {"repo": ada.did, "collection": POST, "record": record}
            await side.post(f"{count} times {cluster!a}", f"{_REPO}.createRecord", body, ada.access)


GROUPS = {"formats": formats, "formats, lengths": lengths}
