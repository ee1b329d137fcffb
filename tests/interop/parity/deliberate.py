"""Every deliberate difference between Aurora Locus and the reference PDS. A pattern that no longer matches fails the
tests.

``docs/from-the-reference-pds.md`` describes them for operators.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """Patterns (``*``) of groups, of requests in them, and of differences as ``fact: ours, reference: theirs``."""

    groups: tuple[str, ...]
    requests: tuple[str, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True)
class Deliberate:
    """A reason for differences, and where it applies."""

    why: str
    cases: tuple[Case, ...]


def _row(why: str, *cases: tuple[str, str, str]) -> Deliberate:
    """A case; several patterns are separated by ``|``."""
    return Deliberate(why, tuple(Case(*(tuple(patterns.split("|")) for patterns in case)) for case in cases))


_500 = "HTTP status: 400, reference: 500|error: *, reference: InternalServerError"
_GRANTED_500 = "HTTP status: 200, reference: 500|error: absent, reference: InternalServerError"
_GRANTED = "HTTP status: 200, reference: 40?|error: absent, reference: *"
_REFUSED = "HTTP status: 400, reference: 200|error: *, reference: absent"

DELIBERATE = (
    _row(
        "RFC 9110 11.6.1 wants a challenge with every 401",
        ("*", "*", "header www-authenticate: *, reference: absent"),
    ),
    _row(
        "the reference fails where a sentence can say what is wrong",
        ("com.atproto.admin.updateAccountEmail", "by administration", _500),
        ("com.atproto.repo.uploadBlob", "by garbage", _500),
        ("record keys", "a key that is taken", _500),
        ("applyWrites oddities", "a create of a key that is taken|an update of nothing|one twice", _500),
        ("rare, batches", "* {'validate': False}", _500),
        ("app passwords", "a name that is taken", _500),
        ("edges, imports", "nothing|nonsense|zeros", _500),
        ("other services", "* where it names a DID of a method that nobody knows", _500),
        ("administration, subjects", "*a record by handle, *|a record of nobody, *|a blob of nobody, *", _500),
    ),
    _row(
        "the reference fails where the wish can be granted: integers are of 64 bits, and what is gone need not be deleted",
        ("createRecord oddities", "an integer of 54 bits", _GRANTED_500),
        ("applyWrites oddities", "a delete of nothing|a right and a wrong", _GRANTED_500),
    ),
    _row(
        "one commit has one operation for a path, where the reference deletes and creates the same record",
        ("duplicates in any order", "at one key 2", _REFUSED),
    ),
    _row(
        "errors are named as the protocol does, not by classes of JavaScript",
        ("*", "with a body that is too large", "error: PayloadTooLarge, reference: PayloadTooLargeError"),
        ("*", "with broken JSON|with a text|with null", "error: InvalidRequest, reference: SyntaxError"),
        (
            "edges, media types",
            "more behind|a comment|a trailing comma|single quotes|NaN",
            "error: InvalidRequest, reference: SyntaxError",
        ),
        ("edges, media types", "coded *", "error: InvalidRequest, reference: Error"),
        ("edges, media types", "coded *", "error: UnsupportedMediaType, reference: UnsupportedMediaTypeError"),
    ),
    _row(
        "a body that is too large is refused by its length, before anybody is asked who sends it",
        ("*", "with a body that is too large", "header cache-control: absent, reference: private"),
        ("edges, media types", "coded *", "header cache-control: absent, reference: private"),
    ),
    _row(
        "JSON is UTF-8 (RFC 8259 8.1); the reference replaces what it cannot read",
        ("*", "with JSON that is no UTF-8", _REFUSED),
        ("edges, media types", "a lone surrogate", _REFUSED),
        ("edges, media types", "as *charset=nonsense*", "HTTP status: 200, reference: 415|error: absent, reference: *"),
    ),
    _row(
        "what is not here is said by its own name, as the Lexicons or the sync methods of the reference have it",
        (
            "com.atproto.sync.getBlo*|blobs|repositories|deactivated|taken down|edges, pages|rare, batches",
            "*",
            "error: Blo*NotFound, reference: InvalidRequest",
        ),
        (
            "handles|rare, handles|handles by the host",
            "*",
            "error: HandleNotFound, reference: InvalidRequest",
        ),
        (
            "signing up|rare, handles",
            "a handle that is taken|signing up as *",
            "error: HandleNotAvailable, reference: InvalidRequest",
        ),
        ("signing up", "a long password", "error: InvalidPassword, reference: InvalidRequest"),
        ("records|deactivated|taken down|rare, incoming", "*", "error: Repo*, reference: InvalidRequest"),
        ("the host", "the session afterwards", "HTTP status: 403, reference: 400|error: AccountNotFound, reference: *"),
    ),
    _row(
        "the last page says that it is the last; the reference lets clients ask once more",
        ("*", "*", "cursor: absent, reference: str"),
    ),
    _row(
        "a cursor that nobody gave is refused; the reference answers with a page that it does not stand for",
        (
            "com.atproto.repo.listMissingBlobs|com.atproto.repo.listRecords|com.atproto.sync.listBlobs",
            "cursor is nonsense|cursor is long|cursor is a NUL",
            _REFUSED,
        ),
        ("com.atproto.repo.listMissingBlobs|com.atproto.sync.listBlobs", "cursor is a number", _REFUSED),
    ),
    _row(
        "kept by this server where the operator names no service for it: preferences, and reports to the host",
        ("com.atproto.moderation.createReport", "by account|by app password", _GRANTED),
        ("deactivated|other services", "its preferences|app.bsky.actor.getPreferences without a service", _GRANTED),
    ),
    _row(
        "where nothing changes there is no commit, as with putRecord at both",
        ("com.atproto.repo.applyWrites|applyWrites oddities", "*", "commit.*: absent, reference: *"),
        (
            "firehose, records",
            "applyWrites with none|applyWrites with the same",
            "[[]0] *: absent, reference: *|frames: , reference: #commit",
        ),
    ),
    _row(
        "who dropped a repository when it was taken down is told what it is now; the reference leaves that to the "
        "next commit",
        (
            "firehose, accounts",
            "takedown: False",
            "[[][12]] *, reference: absent|frames: #account, #identity, #sync, reference: #account",
        ),
    ),
    _row(
        "0 asks for what is there, so nothing of it is missing",
        ("firehose, cursors", "a window that begins later, 0", "[[]0]: absent, *OutdatedCursor*"),
    ),
    _row(
        "what a write expects to find is checked also where nothing would change",
        ("com.atproto.repo.putRecord|swaps", "swapRecord is null|deleteRecord expecting one", _REFUSED),
        ("edges, swaps", "putRecord of the same on *|deleteRecord of nothing on *", _REFUSED),
    ),
    _row(
        "bodies of every method may be compressed with Brotli; those of the reference's JSON methods may not",
        (
            "edges, media types",
            "coded br, but not really",
            "HTTP status: 400, reference: 415|error: InvalidRequest, reference: UnsupportedMediaTypeError",
        ),
    ),
    _row(
        "whoever runs the host makes accounts without an invite code",
        (
            "com.atproto.server.createAccount|rare, incoming",
            "by administration|nonsense by admin",
            "HTTP status: 400, reference: 401|error: InvalidRequest, reference: AuthenticationRequired",
        ),
    ),
    _row(
        "formats are those of the specifications and their test vectors: days that exist, every URI up to 8 kB, "
        "CIDs in every base",
        (
            "formats",
            "the datetime '2020-02-30*|the uri '1a:b'*|the uri 'x:a* (8193)|the at-uri *#/frag'|the cid 'Qm*",
            _REFUSED,
        ),
        ("formats", "the uri 'https:/'*|the uri 'a1+-.:x'*|the uri 'file:*|the cid *", _GRANTED),
    ),
    _row(
        "other servers would refuse the record, or its whole commit: by the data model, or because two operations "
        "are about one path",
        (
            "createRecord oddities",
            "depth 100|a link *|bytes that are none|an inner $type *|a blob without size",
            _REFUSED,
        ),
        ("applyWrites oddities", "two of one key", _REFUSED),
        (
            "rare, batches",
            "an update and a delete of one {}|a * and * of one {}|a delete and a create of one *",
            _REFUSED,
        ),
        ("rare, blobs", "a record with a size of text|a record with a negative size", _REFUSED),
    ),
    _row(
        "a key twice can be read in two ways; a key with a meaning in JavaScript is a key like any other",
        (
            "edges, media types",
            "a key twice*",
            "HTTP status: 400, reference: *|error: InvalidRequest, reference: *",
        ),
        ("edges, media types", "__proto__", _GRANTED),
    ),
    _row(
        "a type with one fixed key has no other record, validated or not",
        ("record keys", "a profile without a key {'validate': False}", _REFUSED),
    ),
    _row(
        "names are taken as people write them: in capitals, with @",
        ("repositories and collections", "*repo is capitals*", _GRANTED),
        ("sessions", "by @handle", _GRANTED),
        ("rare, sessions", "signing in {'identifier': ' rob.test '*", _GRANTED),
    ),
    _row(
        "it is known who asks: 401 would have them sign in again",
        (
            "repositories and collections",
            "*repo is another*",
            "HTTP status: 403, reference: 401|error: *, reference: AuthenticationRequired",
        ),
    ),
    _row(
        "owners and the host read the records of a repository that others do not see",
        ("deactivated", "* by its owner", _GRANTED),
        ("deactivated|taken down", "* by the host", _GRANTED),
    ),
    _row(
        "a takedown counts at once, also for open sessions; who is taken down may see how things stand",
        (
            "taken down",
            (
                "get* by its owner|listBlobs by its owner|sync.getRecord by its owner|its session|app passwords, "
                "taken down|writing, taken down"
            ),
            "HTTP status: 401, reference: ?00|error: AccountTakedown, reference: *",
        ),
        ("taken down", "its session, taken down|its status, taken down", _GRANTED),
        (
            "identities, inactive",
            "the credentials*, taken down|a code, taken down|signing, taken down|submitting, taken down",
            "HTTP status: 401, reference: ?00|error: AccountTakedown, reference: *",
        ),
    ),
    _row(
        "what a blob is, its first bytes say; a pattern is no type",
        ("blobs", "a picture said to be text|any", "blob.mimeType: *"),
        ("rare, blobs", "as * pattern|as two types|in capitals|as a long type", "blob.mimeType: *"),
        ("blobs", "fetching a picture*|fetching any", "body: bytes, reference: text|header content-type: *"),
    ),
    _row(
        "what anybody may fetch, caches may keep for a while",
        ("blobs", "fetching *|HEAD of a blob", "header cache-control: *, reference: private"),
        ("edges, pages", "* of the blob", "header cache-control: *, reference: private"),
        ("rare, blobs", "the blob with *", "header cache-control: *, reference: private"),
    ),
    _row(
        "players ask for parts of a film (RFC 9110 14)",
        (
            "rare, blobs",
            "the blob with {'range': *",
            "HTTP status: 206, reference: 200|HTTP status: 416, reference: 200",
        ),
    ),
    _row(
        "a token that has expired before it is sent is of no use",
        ("rare, service tokens", "* for zero", _REFUSED),
    ),
    _row(
        "passwords and the names of app passwords are for people: neither empty nor endless, and not guessed at once",
        ("app passwords", "a name that is empty|a name that is long", _REFUSED),
        ("signing up", "no password|a short password", _REFUSED),
    ),
    _row(
        "there is no list of services whose addresses are refused",
        ("signing up", "an e-mail of a throw-away service", _GRANTED),
    ),
    _row(
        "nobody learns here whom this server knows",
        ("letters", "a reset for *", _GRANTED),
        ("letters", "leaving as nobody", "HTTP status: 401, reference: 400|error: *, reference: InvalidRequest"),
    ),
    _row(
        "the host is told that there is no such account",
        ("the host", "* of nobody", "HTTP status: 400, reference: 200|error: NotFound, reference: *"),
        (
            "administration, subjects",
            "an account of nobody, *|a blob that is not there, *|a record that is not there, restored again",
            "HTTP status: 400, reference: 200|error: NotFound, reference: *",
        ),
        ("administration, e-mails", "nobody", "error: NotFound, reference: InvalidRequest"),
    ),
    _row(
        "whoever moderates is told what cannot be done, where the reference does nothing or half of it",
        (
            "administration, subjects",
            "a record*, deactivated|a record*, reactivated|a record*, both|a record*, neither",
            _REFUSED,
        ),
        (
            "administration, subjects",
            "a blob*, deactivated|a blob*, reactivated|a blob*, both|a blob*, neither",
            _REFUSED,
        ),
        ("administration, subjects", "an account of an unknown type, *|a message, *", _REFUSED),
        ("administration, subjects", "a record by handle, undecided", _REFUSED),
        ("administration, subjects", "the status of a * both", "takedown.*: *"),
        ("administration, subjects", "the status of a collection", "error: InvalidRequest, reference: NotFound"),
    ),
    _row(
        "a takedown without a reference has none; the reference makes one of the time",
        ("administration, subjects", "the status of *", "takedown.ref: absent, reference: <instant>"),
    ),
    _row(
        "an e-mail has a text, and a subject of one line",
        ("administration, e-mails", "a subject of two lines|a long subject|an empty text", _REFUSED),
    ),
    _row(
        "nobody needs no codes, or a code for millions; an account named twice gets its codes once",
        ("administration, invites", "createInviteCode {'useCount': 2147483648}", _REFUSED),
        ("administration, invites", "createInviteCodes *:aaa*", "codes: list of 1, reference: list of 2|codes[[]1].*"),
        ("administration, invites", "createInviteCodes {'codeCount': 0*|createInviteCodes {'codeCount': -1*", _REFUSED),
    ),
    _row(
        "moderators read the note of those who disabled the invites",
        ("administration, invites", "its account after *", "inviteNote: a note, reference: absent"),
    ),
    _row(
        "an operation that the directory would refuse is not signed; a refusal of the directory is named as such",
        (
            "identities, signatures",
            (
                "signing * rotation keys|signing a rotation key *|signing a name twice|signing a long name|signing "
                "many names|signing a server *|signing a key *"
            ),
            _REFUSED,
        ),
        ("identities, submissions", "submitting *", "error: InvalidPlcOperation, reference: InvalidRequest"),
    ),
    _row(
        "readers can verify what changed since a commit: the file begins with the commit, "
        "and has each block that a later commit wrote again",
        ("files, orders", "since *", "blocks: *"),
    ),
    _row(
        "a file is written as it is read, so a record at several keys is repeated",
        ("files, orders", "the whole|since ''|the old way", "repeated blocks: *"),
    ),
    _row(
        "beside the methods errors are problems (RFC 9457) with the status that fits, "
        "and pages for people are not for scripts of other sites",
        (
            "paths",
            "* /.well-known/*|* /xrpc|* /nonsense|the proof of *",
            "body: *|detail: *, reference: absent|header content-*|requestId: *|status: *|title: *|type: *",
        ),
        ("paths", "*", "header access-control-*: absent, reference: *"),
        ("paths", "POST *", "HTTP status: 405, reference: 404|error: invalid_request, reference: absent"),
        ("paths", "HEAD /*oauth*", "HTTP status: 200, reference: 404"),
        (
            "paths",
            "* /xrpc/com.atproto.sync.subscribeRepos",
            "HTTP status: 4?[56], reference: 400|error: MethodNotAllowed, reference: InvalidRequest",
        ),
        ("origins", "a preflight of /robots.txt*", "HTTP status: *"),
        ("origins", "a preflight of /oauth/*", "HTTP status: 204, reference: 200"),
    ),
    _row(
        "apps of the protocol sign with ES256, which every server must take; each further algorithm is one more "
        "to go wrong",
        (
            "paths",
            "GET /.well-known/oauth-authorization-server",
            "dpop_signing_alg_values_supported*|token_endpoint_auth_signing_alg_values_supported*",
        ),
    ),
    _row(
        "apps of the protocol must push their requests, which are then neither signed objects nor answered by "
        "forms; pages fit any window",
        (
            "paths",
            "GET /.well-known/oauth-authorization-server",
            (
                "request_object_*: absent, reference: *|request_parameter_supported: False, reference: "
                "True|response_modes_supported*|display_values_supported*"
            ),
        ),
    ),
    _row(
        "what a preflight is told need not be repeated in each response",
        ("apps, *", "*", "header access-control-*: absent, reference: *"),
    ),
    _row(
        "errors of OAuth as its specifications name them (RFC 6749 5.2, RFC 9126 2.3, RFC 9449 5)",
        ("apps, *", "without client_id|nothing|without grant_type", "error: invalid_request, reference: invalid_*"),
        ("apps, tokens", "a password|client credentials", "error: unsupported_grant_type, reference: invalid_grant"),
        ("apps, permissions", "asking for a*b", "error: invalid_client_metadata, reference: invalid_request"),
        ("apps, loopback clients", "*with a user", "error: invalid_client_metadata, reference: invalid_redirect_uri"),
        (
            "apps, pushed requests",
            "without response_type",
            "error: unsupported_response_type, reference: invalid_request",
        ),
        ("apps, pushed requests", "an empty scope", "error: invalid_scope, reference: invalid_request"),
        ("apps, pushed requests", "as text", "HTTP status: 400, reference: 415"),
        ("apps, *", "a proof *|without a proof", "HTTP status: 400, reference: 401"),
    ),
    _row(
        "what the profile of atproto requires of a request is required; what it has no use for is refused",
        (
            "apps, pushed requests",
            "without redirect_uri|without state|a short code_challenge|response_mode form_post|a request*|an assertion",
            "HTTP status: 40?, reference: 201|error: *, reference: absent",
        ),
        (
            "apps, loopback clients",
            "*with a fragment|'http://127.0.0.1/[?#]' of any",
            "HTTP status: 400, reference: 201|error: *, reference: absent",
        ),
        ("apps, permissions", "asking for aaa*", "HTTP status: 400, reference: 201|error: *, reference: absent"),
    ),
    _row(
        "parameters without a meaning here are ignored, whatever they say",
        (
            "apps, *",
            "display nonsense|max_age|revoking with a hint that nobody knows",
            "HTTP status: 20?, reference: 400|error: absent, reference: invalid_request",
        ),
        (
            "apps, permissions",
            "asking for openid",
            "HTTP status: 201, reference: 400|error: absent, reference: invalid_scope",
        ),
    ),
    _row(
        "whether silent sign-in is possible is said in the redirect, where apps expect it (OpenID Connect 3.1.2.6)",
        (
            "apps, pushed requests",
            "prompt none",
            "HTTP status: 201, reference: 400|error: absent, reference: invalid_request",
        ),
    ),
    _row(
        "pages are in these languages, with or without a region",
        ("paths", "GET /.well-known/oauth-authorization-server", "ui_locales_supported*"),
    ),
    _row(
        "services may check access tokens, with the key that signs them or by asking; the reference signs with a "
        "secret of its own",
        ("paths", "GET /.well-known/oauth-authorization-server", "introspection_endpoint: *, reference: absent"),
        ("paths", "GET /oauth/jwks", "keys: list of 1, reference: list of 0|keys[[]0].*: *, reference: absent"),
    ),
    _row(
        "readers of their own repository are told which of their writes the answer reflects",
        ("com.atproto.repo.getRecord", "*", "header atproto-repo-rev: present, reference: absent"),
    ),
    _row("an invite for fewer than no uses is for none", ("*", "*", "codes*.available: 0, reference: -1")),
    _row(
        "errors of other services keep their headers, such as how long to wait",
        (
            "app view, forwarding",
            "* answered with 4??|* answered with 50[13]",
            "header atproto-repo-rev: present, reference: absent|header content-language: present, reference: absent",
        ),
    ),
    _row(
        "says what was tried, and when",
        ("paths", "GET /xrpc/_health", "ages.*: *, reference: absent|checks.*: *, reference: absent"),
    ),
    _row(
        "501 is the protocol's answer for a method that nobody here has; names of methods are compared letter by letter",
        (
            "paths|other services",
            "* /xrpc/com.atproto.*|* names nothing|* without a service",
            "HTTP status: 501, reference: *|error: MethodNotImplemented, reference: *",
        ),
    ),
)
