"""Frames from a relay: checked for relevance (most are irrelevant to this site), fully decoded, and verified with
signature and inversion.
"""

from collections.abc import Iterator

from at_protocol.sync import events
from at_protocol.sync import frames as framing
from at_protocol.sync.events import CommitMessage
from at_protocol.sync.verify import LENIENT, MessageRejected, verify_commit_message
from tests.bench import captured
from tests.bench.figure import Figure, Peer, check
from tests.bench.timing import progress, rate, rates

CALENDAR = "community.lexicon.calendar."
# What the whole network sends through a relay.
RELAY_PER_SECOND = 1_500
CAPTURED_AT_US = 1_783_175_888_000_000


def measure() -> Iterator[Figure]:
    frames = captured.frames()
    check(bool(frames), "the captured frames are missing: set OPENMEET_FIXTURES to their folder")
    read = [events.read(frame) for frame in frames]
    glances = [framing.summarize(frame) for frame in frames]
    check(_kinds_agree(glances, read), "the quick check and full decoding give different results")

    def look() -> int:
        return sum(_concerns_us(framing.summarize(frame)) for frame in frames)

    note = f"{len(frames)} captured frames, {sum(map(len, frames)) // len(frames):,} bytes on average"
    per_second = rate(look) * len(frames)
    yield Figure("check frames for relevance, one core", per_second, "/s", 20_000, note=note)
    share = 100 * RELAY_PER_SECOND / per_second
    yield Figure(
        f"{RELAY_PER_SECOND:,} frames/s of a relay checked for relevance, share of one core",
        share,
        "%",
        10,
        less_is_better=True,
        note="without the socket",
    )

    progress("loading the public SDK")
    from atproto_firehose import parse_subscribe_repos_message  # imported here because it takes a second
    from atproto_subscription.frames import Frame

    ours, theirs = rates(
        lambda: [events.read(frame) for frame in frames],
        lambda: [parse_subscribe_repos_message(Frame.from_bytes(frame)) for frame in frames],  # type: ignore[arg-type]
    )
    yield Figure("decode them fully", ours * len(frames), "/s", peer=Peer("atproto SDK", theirs * len(frames)))

    commits = [message for message in read if isinstance(message, CommitMessage)]
    keys = captured.keys()

    def verify() -> int:
        refused = 0
        for message in commits:
            try:
                verify_commit_message(message, keys[message.repo], now_us=CAPTURED_AT_US, verification=LENIENT)
            except MessageRejected:
                refused += 1
        return refused

    known = [message for message in commits if message.repo in keys]
    check(len(known) == len(commits), "the captured documents lack an author")
    refused = verify()
    check(refused <= len(commits) // 20, f"{refused} of {len(commits)} captured commits were refused")
    yield Figure("verify commits: blocks, signature, inversion", rate(verify) * len(commits), "/s")


def _concerns_us(glance: framing.FrameSummary) -> bool:
    return any(path.startswith(CALENDAR) for path in glance.paths)


def _kinds_agree(glances: list[framing.FrameSummary], read: list[events.Message | None]) -> bool:
    return all(
        not isinstance(message, CommitMessage)
        or (glance.did, glance.paths) == (message.repo, tuple(operation.path for operation in message.operations))
        for glance, message in zip(glances, read, strict=True)
    )
