"""The look that both servers' pages share: stylesheets, font, icons and one script. Colours of Aurora Locus: its ``sky.css``."""

from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
TEMPLATES: Final = Path(__file__).parent / "templates"

# In this order. A server adds its own: colours after the tokens, so that they replace them, all else at the end.
STYLES: Final = ("tokens.css", "base.css", "forms.css")

FONT: Final = STATIC / "figtree.woff2"
