"""The design that the pages of both servers share: stylesheets, font, icons, one script, and the layout of e-mails.

The colours of Aurora Locus are in its ``sky.css``, those of its e-mails in their template.
"""

from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
TEMPLATES: Final = Path(__file__).parent / "templates"

# The shared stylesheets, in this order. A server adds its own stylesheets: colours after the tokens, so that they
# replace them, and everything else at the end.
STYLES: Final = ("tokens.css", "base.css", "forms.css")
# Parts that a page can leave out: tabs, filters, items that wait for a decision, settings and operators' pages, fields to
# choose with, and the errors of a form.
TABS: Final = "tabs.css"
FILTERS: Final = "filters.css"
WAITING: Final = "waiting.css"
PANELS: Final = "panels.css"
CHOICES: Final = "choices.css"
PROBLEMS: Final = "problems.css"

FONT: Final = STATIC / "figtree.woff2"
