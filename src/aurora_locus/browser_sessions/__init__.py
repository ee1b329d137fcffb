"""Browser sessions on the web: cookies to signed-in accounts, once per request; and the routes of pages.

Pages authenticate by cookies alone, XRPC methods by the Authorization header alone: a form on another site cannot call
methods, and a stolen token opens no page.
"""
