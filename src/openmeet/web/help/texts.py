"""Texts of the pages that explain the site, as Markdown: questions and answers, and the default statements about who runs
the site, its terms, privacy and accessibility.
"""

from dataclasses import dataclass
from typing import Final

from openmeet.i18n.catalogue import LazyText, lazy


@dataclass(frozen=True, slots=True)
class Question:
    """One help page. ``slug`` is the last part of its URL. ``parts`` are its paragraphs."""

    slug: str
    icon: str
    title: LazyText
    parts: tuple[LazyText, ...]


@dataclass(frozen=True, slots=True)
class HelpTopic:
    """A group of questions. ``slugs`` are its questions, in the order of the list."""

    title: LazyText
    slugs: tuple[str, ...]


QUESTIONS: Final = (
    Question(
        "sharing",
        "sync",
        lazy("What’s shared where?"),
        (
            lazy(
                "**On this site:** everything you write here. An event shows who can see it: "
                "everyone, people with the link, or people you invite."
            ),
            lazy(
                "**In other apps:** only public things, and only after you agree to sync. Until then nothing you do "
                "here leaves this site. [See your choice](/settings/publishing)."
            ),
            lazy(
                "**Your events:** if you sync, every public event is copied to your account, where other apps find "
                "it. Private and unlisted events are never copied."
            ),
            lazy(
                "**Your answers:** an answer is copied if you sync, the event is public, and you have a place or "
                "said maybe. Next to the buttons, you see whether it will be shared and under which name. You can "
                "turn it off for a single event."
            ),
            lazy(
                "**While you wait** for the host’s answer or for a place, other apps don’t see your answer. In your "
                "settings, you can choose to show “maybe” instead."
            ),
            lazy(
                "**When you change your mind,** the copy changes, too. You choose whether other apps see that you "
                "can’t go, or nothing at all."
            ),
            lazy(
                "**Remove a copy:** open the event and choose “Stop sharing my answer”, or stop syncing altogether "
                "in your settings. We remove what we copied. Other apps may have kept their own copies, and nobody "
                "can remove those."
            ),
            lazy(
                "**Never shared:** your e-mail address, your answers to a host’s questions, your chats, who you "
                "blocked, and your calendar."
            ),
        ),
    ),
    Question(
        "answering",
        "check",
        lazy("How do I answer an invitation?"),
        (
            lazy(
                "Open the event and press the large button. It says what happens: “I’m going”, “Ask to join” or "
                "“Join waitlist”."
            ),
            lazy("You can change your answer later on the same page."),
            lazy("If the host approves guests, we tell you as soon as they decide. Until then you don’t have a place."),
            lazy(
                "You don’t need an account: choose “Answer by e-mail, without an account” and confirm it in the "
                "e-mail that we send you."
            ),
        ),
    ),
    Question(
        "waitlist",
        "clock",
        lazy("How does the waitlist work?"),
        (
            lazy("When an event is full, you can join the waitlist. The event page shows your position."),
            lazy(
                "When a place becomes free, the first person on the list gets it, or has a few "
                "hours to take it. We e-mail you either way."
            ),
            lazy("If a place is held for you, the page says until when. After that it goes to the next person."),
            lazy("If you answered for several people, you move up once there are places for all of you."),
        ),
    ),
    Question(
        "hosting",
        "calendar",
        lazy("How do I create an event?"),
        (
            lazy(
                "[Start a new event](/events/new) with a title and a start. Everything else can wait: only hosts "
                "see your draft until you publish it."
            ),
            lazy("Without a picture, the event gets a generated cover. You can upload your own at any time."),
            lazy(
                "In a description, `*stars*` make *italics*, `**two stars**` make **bold**, and lines that start with a "
                "dash make a list."
            ),
            lazy(
                "You choose who can come: everyone, people you approve, or a limited number of people with a waitlist."
            ),
            lazy(
                "When you change the time or the place, we tell everyone who is going. When you cancel, you can "
                "bring the event back."
            ),
        ),
    ),
    Question(
        "photos",
        "camera",
        lazy("Who sees the photos of an event?"),
        (
            lazy(
                "**Only the hosts and their guests:** people who were going when the event began, and people whom a "
                "host approved or checked in. Photos are never public, and other apps don’t get them."
            ),
            lazy(
                "**Add yours:** once the event has begun, open its page and choose “Photos”. We remove location and "
                "camera details."
            ),
            lazy(
                "When somebody adds photos, we tell hosts and guests, at most once a day for each event. "
                "[Choose how](/settings/notifications)."
            ),
            lazy(
                "**You’re in a photo and don’t want to be?** Open it and ask the hosts to remove it, or report it to "
                "the moderators."
            ),
            lazy(
                "**Remove yours:** open the photo and choose “Remove the photo”. Hosts can remove any photo. If somebody "
                "reported it, moderators can still look at it until they have decided. If you delete your account, your "
                "photos are deleted, too."
            ),
        ),
    ),
    Question(
        "repeating",
        "repeat",
        lazy("How do repeating events work?"),
        (
            lazy("Choose “Repeats” in the form of the event. You see the next dates before you save."),
            lazy("Every date has its own page and its own guests. People can answer one date or all of them."),
            lazy(
                "When you change something, you choose which dates it applies to: this one, this "
                "and the following ones, or all. You see a summary first and can undo it for ten "
                "minutes."
            ),
        ),
    ),
    Question(
        "afterwards",
        "trash",
        lazy("Can my event’s page be removed after the event?"),
        (
            lazy(
                "Yes. In the form of the event, under “Keep the page”, you choose how long the page is kept: for "
                "good, or for a day, a week or 30 days after the event."
            ),
            lazy(
                "Then the event is deleted, as if you had done it yourself: its page, its chat, its photos, its list of "
                "guests and its picture are gone for everyone, and proofs of attendance end. Nobody gets an e-mail "
                "about it. In a series, each date goes on its own."
            ),
            lazy(
                "You and your guests see the day on the page, and you can change your mind until then. After you "
                "change the event, nothing is deleted for at least a day."
            ),
            lazy(
                "If the event is in other apps, it’s also deleted from your account, and the answers from your guests’ "
                "accounts. We can’t take back what others have copied: other apps, search engines, calendars and "
                "e-mails can keep what they have."
            ),
        ),
    ),
    Question(
        "calendar",
        "download",
        lazy("How do I get events into my calendar?"),
        (
            lazy(
                "Open the event, choose “Add to calendar” and pick yours. That is a copy: later changes don’t reach it."
            ),
            lazy(
                "To follow changes, [subscribe to your own calendar](/settings/calendars). It has all events you’re "
                "going to and stays up to date."
            ),
            lazy("The address of that calendar is secret. If it leaked, make a new one on the same page."),
        ),
    ),
    Question(
        "emails",
        "mail",
        lazy("How do I get fewer e-mails?"),
        (
            lazy(
                "[Choose your notifications](/settings/notifications): for each kind of news, you choose whether it "
                "comes by e-mail, here, or not at all."
            ),
            lazy("Every e-mail with news ends with a link that stops e-mails of that kind. You don’t have to sign in."),
            lazy(
                "News about cancelled and moved events is sent at once. Everything else is combined "
                "and waits for the end of quiet hours."
            ),
        ),
    ),
    Question(
        "offline",
        "laptop",
        lazy("What works without a connection?"),
        (
            lazy(
                "After your first visit, this device stores your week, your tickets and the check-in lists you’ve "
                "opened."
            ),
            lazy(
                "If you answer or check in guests while you’re offline, this device saves it and sends it once "
                "you’re back online. The page tells you."
            ),
            lazy("When you sign out, all of it is removed from this device."),
        ),
    ),
    Question(
        "attendance-proof",
        "ticket",
        lazy("How do I show that I was at an event?"),
        (
            lazy(
                "If a host checked you in, open the event. Next to “You were there”, you can make a proof: a page with a "
                "secret link. You decide who gets it. The page shows your name or your account, the event, its date "
                "and its host."
            ),
            lazy(
                "The page always shows what is true now. It says that the proof is no longer valid if you withdraw "
                "it, the host undoes the check-in, or the event or your account is deleted."
            ),
            lazy(
                "Only people with the link see the page, and nothing is shared with other apps. Only you can list your "
                "proofs, in your settings. There are no proofs for private events."
            ),
            lazy(
                "The page also has a signed file, which programs can check. People who have it can keep it, so ask "
                "them to open the link, too."
            ),
            lazy(
                "You need an account. If you answered without one, sign up with the same e-mail address. We add the "
                "answers that we still have to your account."
            ),
        ),
    ),
    Question(
        "safety",
        "shield",
        lazy("What can I do about unwanted people or events?"),
        (
            lazy(
                "On every event, group and person you find “Report, block or mute…”. Nobody is told who reported or "
                "blocked them."
            ),
            lazy("People you blocked can’t answer your events, join your groups or write to you."),
            lazy(
                "You can report something without an account, too. Leave your e-mail address if you want to know what the "
                "moderators decide."
            ),
            lazy("Reports go to the people who run this site. [See what you blocked](/settings/safety)."),
        ),
    ),
    Question(
        "leaving",
        "out",
        lazy("How do I take my data with me, or leave?"),
        (
            lazy(
                "[Download everything you have here](/settings/data) as one file: events, answers, groups you own and "
                "chat messages. It also tells you where your pictures are."
            ),
            lazy(
                "[Delete your account](/settings/delete): you’ll see what happens first, and nothing is deleted "
                "until you confirm it."
            ),
            lazy(
                "If this site opened an account for your public events, you can take that account over before you go."
            ),
        ),
    ),
)

BY_SLUG: Final = {one.slug: one for one in QUESTIONS}

TOPICS: Final = (
    HelpTopic(lazy("Going to events"), ("answering", "waitlist", "calendar", "offline", "attendance-proof")),
    HelpTopic(lazy("Hosting"), ("hosting", "repeating", "photos", "afterwards")),
    HelpTopic(lazy("Your account"), ("sharing", "emails", "safety", "leaving")),
)


ABOUT: Final = (
    lazy(
        "People use this site to invite each other: to a walk, a concert, a neighbourhood meeting. Creating "
        "and answering events is free."
    ),
    lazy(
        "The site is part of the open social web. If you agree, your public events also show up in other "
        "apps, under a name that you keep "
        "when you leave. [What is shared where](/help/sharing)."
    ),
    lazy(
        "There are no advertisements and no trackers. The only cookies are the ones that keep you signed in "
        "and remember what you did last."
    ),
    lazy("The software is free: anyone can run a site like this one. Programs can use the [API](/api)."),
)

TERMS: Final = (
    lazy(
        "**Be a good guest.** Treat people with respect, on the site and at the event. Don’t threaten, "
        "harass or deceive anyone."
    ),
    lazy(
        "**Be a good host.** Be honest about what happens, where and when, and what it costs. Tell your "
        "guests when something changes."
    ),
    lazy(
        "**Your texts and pictures stay yours.** You allow us to show them to the people you chose. Only "
        "share what you have the right to share."
    ),
    lazy(
        "**What we can do.** We can hide or remove what breaks these terms or the law, and close "
        "accounts. We’ll tell you why, and you can object."
    ),
    lazy(
        "**What we can’t promise.** Events are the responsibility of their hosts. We look after "
        "the site, but it may be down at times."
    ),
    lazy(
        "**Leaving.** You can [download your data](/settings/data) and [delete your "
        "account](/settings/delete) whenever you like."
    ),
)

PRIVACY: Final = (
    lazy(
        "**What we keep:** your e-mail address and name, the events, answers, groups and messages that you "
        "write, and your settings."
    ),
    lazy(
        "**What we keep briefly:** the internet address of a visit, against abuse, and when each browser or "
        "app signed in. You see your sign-ins in [your settings](/settings/sessions)."
    ),
    lazy(
        "**Who sees what:** hosts see the names and answers of their guests. Others see what the host’s "
        "settings say. Other guests never see your e-mail address."
    ),
    lazy(
        "**What leaves the site:** the e-mails you asked for. Public things go to other apps only after you "
        "agree. [What is shared where](/help/sharing)."
    ),
    lazy(
        "**What we don’t do:** no advertisements, no trackers, no sale of data, no files loaded from other "
        "companies’ servers."
    ),
    lazy(
        "**Your rights:** [see and download everything](/settings/data), correct it, and [delete your "
        "account](/settings/delete). You can also object, and complain to a data protection authority."
    ),
    lazy(
        "**How long:** until you delete it. If you delete your account, it’s hidden at once, and you see "
        "when everything is gone. Backups and what the law requires are kept for a limited time."
    ),
)

ACCESSIBILITY: Final = (
    lazy("Everyone should be able to answer an invitation. We follow the Web Content Accessibility Guidelines "
"2.2, level AA."),
    lazy("**What you can rely on:** all pages work with a keyboard and a screen reader, with large text, in "
"light and dark, without scripts and on a small phone."),
    lazy("**How we know:** every page is checked by a program before each release, in both colour schemes and "
"at two sizes."),
    lazy("**What isn’t perfect:** pictures that people upload, and events from other apps, may have no "
"description. If you can’t use the map, use the list next to it: it has the same events."),
    lazy("**Tell us** what doesn’t work for you, and on which page. We answer, and we look for another way "
"until it works."),
)  # fmt: skip


def paragraphs_of(several: tuple[LazyText, ...]) -> str:
    """These paragraphs as one Markdown text, in the current language."""
    return "\n\n".join(str(one) for one in several)
