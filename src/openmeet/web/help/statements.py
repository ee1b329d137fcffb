"""Default texts, as Markdown: who runs the site, its terms, privacy and accessibility. Used if the operator has not
written their own.
"""

from typing import Final

from openmeet.i18n.catalogue import LazyText, lazy

ABOUT: Final = (
    lazy(
        "People use this site to invite each other: to a walk, a concert, a neighbourhood meeting. Creating and answering events is free."
    ),
    lazy(
        "The site is part of the open social web. If you agree, your public events also show up in other apps, under a name that you keep "
        "when you leave. [What is shared where](/help/sharing)."
    ),
    lazy(
        "There are no advertisements and no trackers. The only cookies are the ones that keep you signed in and remember what you did last."
    ),
    lazy(
        "The software is free: anyone can run a site like this one. Programs can use the [interface for developers](/api)."
    ),
)

TERMS: Final = (
    lazy(
        "**Be a good guest.** Treat people with respect, on the site and at the event. Nobody may be threatened, harassed or deceived here."
    ),
    lazy(
        "**Be a good host.** Say truthfully what happens, where and when, and what it costs. Tell your guests when something changes."
    ),
    lazy(
        "**Your texts and pictures stay yours.** You allow us to show them to the people you chose. Only share what you have the right to share."
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
        "**Leaving.** You can [download your data](/settings/data) and [delete your account](/settings/delete) whenever you like."
    ),
)

PRIVACY: Final = (
    lazy(
        "**What we keep:** your e-mail address and name, the events, answers, groups and messages that you write, and your settings."
    ),
    lazy(
        "**What we keep briefly:** the internet address of a visit, against abuse, and when each browser or app signed in. You see your sign-ins in [your settings](/settings/sessions)."
    ),
    lazy(
        "**Who sees what:** hosts see the names and answers of their guests. Others see what the host’s settings say. Other guests never see your e-mail address."
    ),
    lazy(
        "**What leaves the site:** the e-mails you asked for. Public things go to other apps only after you agree. [What is shared where](/help/sharing)."
    ),
    lazy(
        "**What we don’t do:** no advertisements, no trackers, no sale of data, no files loaded from other companies’ servers."
    ),
    lazy(
        "**Your rights:** [see and download everything](/settings/data), correct it, and [delete your account](/settings/delete). You can also object, and complain to a data protection authority."
    ),
    lazy(
        "**How long:** until you delete it. If you delete your account, it’s hidden at once, and you see when everything is gone. Backups and what the law requires are kept for a limited time."
    ),
)

ACCESSIBILITY: Final = (
    lazy("Everyone should be able to answer an invitation. We follow the Web Content Accessibility Guidelines 2.2, level AA."),
    lazy("**What you can rely on:** all pages work with a keyboard and a screen reader, with large text, in light and dark, without scripts and on a small phone."),
    lazy("**How we know:** every page is checked by a program before each release, in both colour schemes and at two sizes."),
    lazy("**What isn’t perfect:** pictures that people upload, and events from other apps, may have no description. If you can’t use the map, use the list next to it: it has the same events."),
    lazy("**Tell us** what doesn’t work for you, and on which page. We answer, and we look for another way until it works."),
)  # fmt: skip


def paragraphs_of(several: tuple[LazyText, ...]) -> str:
    """These paragraphs as one Markdown text, in the current language."""
    return "\n\n".join(str(one) for one in several)
