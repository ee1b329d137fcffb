"""Import files, URLs and contact lists, and reply to an invitation from a list."""
