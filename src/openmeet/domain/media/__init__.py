"""Pictures: re-encoded in several sizes and served at random URLs.

Uploaded files are never served as they are. A picture is decoded and encoded again, so that neither its metadata (where
and by whom it was taken) nor a disguised file reaches a browser.
"""
