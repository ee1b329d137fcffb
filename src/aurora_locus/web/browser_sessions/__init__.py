"""Browser sessions on the web: cookies that identify the signed-in accounts of each request, and the routes of pages.

Pages authenticate by cookies only, XRPC methods by the Authorization header only. So a form on another site cannot call
methods, and a stolen token cannot open pages.
"""
