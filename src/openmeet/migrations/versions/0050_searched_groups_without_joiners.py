"""Texts of groups, in which people search, without zero-width joiners, as ``i18n.markdown.folded`` writes them now."""

from groundwork.database.revision import execute

revision = "0050"
down_revision = "0049"


def upgrade() -> None:
    execute("update groups set search_text = replace(replace(search_text, '\u200c', ''), '\u200d', '')")
