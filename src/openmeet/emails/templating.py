"""The templates of mails: HTML is escaped; in plain text the marks would be read."""

from pathlib import Path
from typing import Final

import jinja2

TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=jinja2.select_autoescape(enabled_extensions=("html",), disabled_extensions=("txt",)),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
