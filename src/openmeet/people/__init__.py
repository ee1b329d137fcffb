"""Hosts as others see them: a page of what they host for everybody, with feeds, and following them.

The page says nothing that is not public without it: whoever hosts nothing public has none, and what they wrote about themselves and the
groups that they are in stand there only if they said so. Where somebody goes is never on it.
"""
