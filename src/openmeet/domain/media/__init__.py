"""Pictures: re-encoded in two sizes and served at random addresses.

No uploaded file is served as it came: a picture is decoded and encoded again, so that neither its metadata (where and
by whom it was taken) nor a disguised file reaches a browser.
"""
