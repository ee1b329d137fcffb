"""Why a move or a backup failed is a code, not a sentence.

A problem of a move had the sentence itself as its code.
"""

from typing import Final

from groundwork.database.revision import apply, encode_sentences

revision = "0012"
down_revision = "0011"

_UNWRAP: Final = """
    update moves set problem = replace(problem, '"%(problem)s We’ll try again in a moment."', '"move.not_active_yet"')
     where substr(problem, 1, 10) = '{"code":"%';
    update moves set problem = /*sqlite json_extract(problem, '$.code') */ /*postgresql cast(problem as json) ->> 'code' */
     where substr(problem, 1, 8) = '{"code":' and substr(problem, 1, 29) <> '{"code":"move.not_active_yet"';
"""
_MOVES: Final = {
    "Something failed on this server. Try again in a few minutes.": "move.our_error",
    "There’s no such move.": "move.no_such_move",
}
_BACKUPS: Final = {"it was cut off": "backup.interrupted", "restored from it": "backup.restored_from_it"}


def upgrade() -> None:
    apply(_UNWRAP)
    encode_sentences("moves", "problem", _MOVES)
    encode_sentences("backups", "reason", _BACKUPS)
