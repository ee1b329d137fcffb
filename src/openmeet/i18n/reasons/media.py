"""Messages of the reasons of ``openmeet.domain.media.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "media.too_narrow": mark("This picture is too narrow. Send a wider one."),
    "media.too_large": mark("A picture has at most %(most)s MB."),
    "media.unreadable": mark("We can’t read this picture. Send a JPEG, PNG, WebP or GIF."),
    "media.too_many_pictures": mark("At most %(most)s pictures a day."),
    "media.too_many_pixels": mark("A picture has at most %(most)s million pixels."),
    "media.no_such_picture": mark("There is no such picture."),
    "media.alt_needed": mark("Describe the picture for people who can’t see it."),
    "media.alt_too_long": mark("At most %(most)s characters."),
    "media.upload_expected": mark("Send a form with a file."),
    "media.unstorable_character": mark("The form contains a character that we can’t store."),
    "media.keeps_no_pictures": mark("This site can’t store pictures right now."),
    "media.too_many_cards": mark("Too many pictures are being drawn. Try again in a few seconds."),
}
