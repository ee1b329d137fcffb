"""People's texts as safe HTML: Markdown without raw HTML or images, headings below the page's own."""

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

# h1 and h2 belong to the page; what somebody wrote starts at h3.
_DEEPER = 2
_DEEPEST = 6

_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).disable(["image", "html_block", "html_inline"])

_TAGS = {"p", "br", "em", "strong", "ul", "ol", "li", "a", "code", "pre", "blockquote", "hr", "h3", "h4", "h5", "h6"}


def html_of(text: str) -> Markup:
    """The text as HTML that may stand in a page."""
    tokens = _markdown.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + _DEEPER, _DEEPEST)}"
    rendered = _markdown.renderer.render(tokens, _markdown.options, {})
    clean = nh3.clean(
        rendered,
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        # Hosts' links say nothing about us and must not get a handle on this window.
        link_rel="nofollow ugc noopener",
    )
    return Markup(clean)  # noqa: S704  # sanitised in the line above


def summary_of(text: str, limit: int = 160) -> str:
    """The first words as plain text, for lists and cards."""
    plain = " ".join(nh3.clean(_markdown.render(text), tags=set()).split())
    words = Markup(plain).unescape()  # noqa: S704  # only unescaped, and escaped again by the template
    return words if len(words) <= limit else words[:limit].rsplit(" ", 1)[0].rstrip(",.;:") + " …"
