"""Import files, URLs and contact lists, and reply to an invitation that was sent from such a list."""
