"""From a browser's cookies to the accounts that are signed in on it, once per request; and the routes of pages.

A page knows its people by cookies alone, a method by the Authorization header alone: a form of another site cannot call
methods, and a token that was stolen opens no page.
"""
