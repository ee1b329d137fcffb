"""Every deliberate difference between Aurora Locus and the reference PDS; a row that no longer differs fails the tests.

For operators they are told in ``docs/from-the-reference-pds.md``.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Deliberate:
    """Patterns (``*``) of groups, of requests in them, and of differences as ``fact: ours, reference: theirs``."""

    groups: tuple[str, ...]
    requests: tuple[str, ...]
    differences: tuple[str, ...]
    why: str


def _row(groups: str, requests: str, differences: str, why: str) -> Deliberate:
    """Several patterns are parted by ``|``."""
    return Deliberate(tuple(groups.split("|")), tuple(requests.split("|")), tuple(differences.split("|")), why)


DELIBERATE = (
    _row(
        "*",
        "*",
        "header www-authenticate: *, reference: absent",
        "RFC 9110 11.6.1 wants a challenge with every 401",
    ),
    _row(
        "*",
        "*",
        "HTTP status: *, reference: 500|error: *, reference: InternalServerError",
        "the reference fails where a sentence can be said or the wish be granted",
    ),
    _row(
        "*",
        "with a body that is too large",
        "error: PayloadTooLarge, reference: PayloadTooLargeError",
        "the protocol's name for it; the reference shows that of a class of its library",
    ),
    _row(
        "*",
        "with a body that is too large",
        "header cache-control: absent, reference: private",
        "refused by its length, before anybody is asked who sends it",
    ),
    _row(
        "*",
        "with broken JSON|with a text|with null",
        "error: InvalidRequest, reference: SyntaxError",
        "the protocol's name for it; the reference shows that of JavaScript's exception",
    ),
    _row(
        "*",
        "with JSON that is no UTF-8",
        "*",
        "JSON is UTF-8 (RFC 8259 8.1); the reference replaces what it cannot read",
    ),
    _row(
        "*",
        "*",
        "cursor: absent, reference: str",
        "the last page says that it is the last; the reference lets clients ask once more",
    ),
    _row(
        "*",
        "*",
        "emailAuthFactor: False, reference: absent",
        "signing in by a mailed code is possible here, and not there",
    ),
    _row(
        "*",
        "*",
        "error: Blo*NotFound, reference: InvalidRequest|error: HandleNotFound, reference: InvalidRequest",
        "the names that the Lexicons give",
    ),
    _row(
        "com.atproto.repo.listRecords",
        "*",
        "header atproto-repo-rev: present, reference: absent",
        "owners learn from each answer how new it is",
    ),
    _row(
        "com.atproto.repo.listMissingBlobs|com.atproto.repo.listRecords|com.atproto.sync.listBlobs",
        "cursor is nonsense",
        "*",
        "a cursor that nobody gave is refused; the reference answers with a page that it does not stand for",
    ),
    _row(
        "com.atproto.identity.signPlcOperation|letters",
        "*",
        "error: TokenRequired, reference: InvalidRequest",
        "says what is missing, by the name that updateEmail has for it",
    ),
    _row(
        "com.atproto.moderation.createReport",
        "*",
        "*",
        "reports come to the host's own moderation where no service is named",
    ),
    _row(
        "com.atproto.repo.applyWrites|applyWrites oddities",
        "*",
        "commit.*: absent, reference: *",
        "where nothing changes there is no commit, as with putRecord at both",
    ),
    _row(
        "firehose, records",
        "applyWrites with none|applyWrites with the same",
        "[[]0] *: absent, reference: *|frames: , reference: #commit",
        "where nothing changes there is no commit, as with putRecord at both",
    ),
    _row(
        "firehose, accounts",
        "takedown: False",
        "[[][12]] *, reference: absent|frames: #account, #identity, #sync, reference: #account",
        "who dropped a repository when it was taken down is told what it is now; the reference leaves that to the next commit",
    ),
    _row(
        "firehose, cursors",
        "a window that begins later, 0",
        "[[]0]: absent, *OutdatedCursor*",
        "0 asks for what is there, so nothing of it is missing",
    ),
    _row(
        "com.atproto.repo.putRecord|swaps",
        "swapRecord is null|deleteRecord expecting one",
        "*",
        "what a write expects to find is checked also where nothing would change",
    ),
    _row(
        "com.atproto.server.createAccount",
        "by administration",
        "*",
        "whoever runs the host makes accounts without an invite code",
    ),
    _row(
        "createRecord oddities",
        "depth 100|a link *|bytes that are none|an inner $type *|a blob without size",
        "*",
        "the data model binds also where no Lexicon is known; other servers would refuse the record, or its whole commit",
    ),
    _row(
        "applyWrites oddities",
        "two of one key",
        "*",
        "a commit says of each record once what became of it",
    ),
    _row(
        "record keys",
        "a profile without a key {'validate': False}",
        "*",
        "a type with one fixed key has no other record, validated or not",
    ),
    _row(
        "repositories and collections",
        "*repo is capitals*",
        "*",
        "handles are compared without regard to capitals",
    ),
    _row(
        "repositories and collections",
        "*repo is another*",
        "*",
        "it is known who asks: 401 would have them sign in again",
    ),
    _row(
        "records|deactivated|taken down",
        "*",
        "error: Repo*, reference: InvalidRequest",
        "whether a repository is not here, deactivated or taken down is said by name",
    ),
    _row(
        "deactivated|taken down",
        "* by its owner|* by the host",
        "HTTP status: 200, reference: 400|error: absent, reference: *",
        "owners and the host read the records of a repository that others do not see",
    ),
    _row(
        "deactivated|other services",
        "its preferences|app.bsky.actor.getPreferences without a service",
        "*",
        "preferences are kept whether or not there is an app view",
    ),
    _row(
        "taken down",
        "* by its owner|its session|*, taken down",
        "*",
        "a takedown counts at once, also for open sessions, and is said by name; who is taken down may see how things stand",
    ),
    _row(
        "taken down",
        "taking it down: False",
        "takedown.ref: absent, reference: 2",
        "what is not taken down has no reference of a takedown",
    ),
    _row(
        "blobs",
        "a picture said to be text|any|fetching a picture*|fetching any",
        "blob.mimeType: *|body: *|header content-type: *",
        "what a blob is, its first bytes say; a pattern is no type",
    ),
    _row(
        "blobs",
        "*nonsense as type*|the blobs of a repository",
        "*",
        "a type that nobody can read counts as unknown, as in a browser's upload",
    ),
    _row(
        "blobs",
        "fetching *|HEAD of a blob",
        "header cache-control: *, reference: private",
        "what anybody may fetch, caches may keep for a while",
    ),
    _row(
        "sessions",
        "by @handle",
        "*",
        "names are taken as people write them",
    ),
    _row(
        "app passwords",
        "a name that is *",
        "*",
        "a password without a name cannot be told from another",
    ),
    _row(
        "app passwords",
        "a token for did:plc:x",
        "*",
        "any DID by its general syntax: whoever gets it refuses it",
    ),
    _row(
        "signing up",
        "a handle that is taken|a long password",
        "error: *, reference: InvalidRequest",
        "the names that the Lexicon gives",
    ),
    _row(
        "signing up",
        "an e-mail of a throw-away service",
        "*",
        "there is no list of services whose addresses are refused",
    ),
    _row(
        "signing up",
        "no password|a short password",
        "*",
        "an account has a password that is not guessed at once",
    ),
    _row(
        "signing up",
        "an invite that nobody gave",
        "*",
        "an invite is not looked at where nobody needs one",
    ),
    _row(
        "signing up",
        "a DID without proof",
        "error: AuthMissing, reference: AuthenticationRequired",
        "says that a token is missing, not that one is wrong",
    ),
    _row(
        "letters",
        "a reset for *",
        "*",
        "nobody learns here whose address this server knows",
    ),
    _row(
        "letters",
        "leaving as nobody",
        "*",
        "a wrong name is answered like a wrong password",
    ),
    _row(
        "the host",
        "an invite for *",
        "*",
        "an invite for nobody is a slip of the hand",
    ),
    _row(
        "the host",
        "* of nobody",
        "HTTP status: 400, reference: 200|error: NotFound, reference: *",
        "the host is told that there is no such account",
    ),
    _row(
        "the host",
        "the session afterwards",
        "*",
        "that an account is gone is said by name",
    ),
    _row(
        "paths",
        "*",
        "body: *|detail: *|header access-control-allow-*|header access-control-max-age: *|header content-*|requestId: *|status: *|title: *|type: *|HTTP status: 40?, reference: 40?|HTTP status: 426, reference: 400|error: MethodNotAllowed, reference: InvalidRequest|error: invalid_request, reference: absent",
        "beside the methods errors are problems (RFC 9457) with the status that fits, and pages for people are not for scripts of other sites",
    ),
    _row(
        "paths",
        "HEAD /*oauth*",
        "HTTP status: 200, reference: 404",
        "what is read with GET is asked for with HEAD (RFC 9110 9.3.2)",
    ),
    _row(
        "paths",
        "GET /.well-known/oauth-*|GET /oauth/jwks",
        "*: *, reference: *",
        "what each authorization server offers is its own; that it is what clients need, the OAuth clients test",
    ),
    _row(
        "paths",
        "GET /xrpc/_health",
        "ages.*|checks.*",
        "says what was tried, and when",
    ),
    _row(
        "paths|other services",
        "* /xrpc/com.atproto.*|* names nothing|* without a service",
        "HTTP status: 501, reference: *|error: MethodNotImplemented, reference: *",
        "501 is the protocol's answer for a method that nobody here has; names of methods are compared letter by letter",
    ),
    _row(
        "origins",
        "a preflight of /robots.txt*",
        "*",
        "nothing there is for scripts of other sites",
    ),
    _row(
        "origins",
        "a preflight of /oauth/*",
        "HTTP status: 204, reference: 200",
        "an answer without content",
    ),
)
