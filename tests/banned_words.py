"""Words that neither server uses in texts for people."""

import re
from typing import Final

# Stiff or vague phrases, legal and database jargon, and fillers.
BANNED: Final = re.compile(
    r"\b(?:stands? (?:here|there)|what shall|the ticked|say yes to|how far it reaches|what became of|being seen"
    r"|everybody concerned|hear of it|lead in|as it fits|made anew|brought in|of those whom|whom they concern|let out"
    r"|the least of both|in silence|a sign of you|got around|worthless|mend|at this moment|is no day that|may not|shall"
    r"|whoever|thereof|besides|respectively|successfully|kindly|simply|just(?! now)|oops|users?"
    # "Take back" is fine as the label of a button. In a sentence, "take it back" does not say what happens or to what.
    r"|(?:take|takes|taking) (?:it|that|this|them|my \w+|the \w+) back|taken back|took back|taking back"
    # We use contractions, as people do when they speak.
    r"|cannot|(?:is|are|was|were|do|does|did|has|have|had|will|would|could|should|must) not(?! only)"
    # "Letter" is not used for an e-mail; "letters and digits" is fine.
    r"|letters?(?!(?:,| and| or) digits| a to z))\b"
    # Two sentences are easier to read than one with a semicolon.
    r"|;\s"
    # A button says what happens.
    r"|\A(?:continue|submit|ok)\Z",
    re.IGNORECASE,
)
