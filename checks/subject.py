"""Check the subject of a commit message: ``area: imperative summary``, at most 72 characters. Run by a git hook."""

import re
import sys
from pathlib import Path

MAX_CHARACTERS = 72
# Subjects that git writes itself.
_WRITTEN_BY_GIT = re.compile(r"(Merge|Revert|Reapply|fixup!|squash!|amend!) ")
_SUBJECT = re.compile(r"[\w.][^:]*: (?P<verb>[a-z][\w-]*) .*[^.\s]")
# "added", "adding" and "adds" are not imperatives, unless the verb itself ends like that.
_OTHER_FORM = re.compile(r".*([^e]ed|ing|[^aius]s)")
_IMPERATIVES = frozenset({"bring", "embed", "fling", "ring", "shed", "shred", "sing", "spring", "string", "swing"})


def subject_of(message: str) -> str:
    """The first line that is not a comment; empty if there is none."""
    lines = (line.strip() for line in message.splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")


def fault(subject: str) -> str | None:
    """The problem of a subject, or None. Subjects that git writes are accepted, and so is an empty one, which git
    itself refuses.
    """
    if not subject or _WRITTEN_BY_GIT.match(subject):
        return None
    if len(subject) > MAX_CHARACTERS:
        return f"has {len(subject)} characters; at most {MAX_CHARACTERS} fit in a list of commits"
    found = _SUBJECT.fullmatch(subject)
    if found is None:
        return "should read “area: imperative summary”, with a small letter behind the colon and no full stop"
    verb = found["verb"]
    if verb not in _IMPERATIVES and _OTHER_FORM.fullmatch(verb):
        return f"should begin with an imperative (“add”, not “added” or “adds”), not with “{verb}”"
    return None


def main() -> int:
    """Check the message in the file that git passes as an argument."""
    subject = subject_of(Path(sys.argv[1]).read_text(encoding="utf-8"))
    why = fault(subject)
    if why is not None:
        sys.stderr.write(f"The subject of the commit {why}:\n    {subject}\n")
    return 0 if why is None else 1


if __name__ == "__main__":
    sys.exit(main())
