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
# Parts of settings and of operators' pages. A page for visitors can leave them out.
PANELS: Final = "panels.css"

FONT: Final = STATIC / "figtree.woff2"
