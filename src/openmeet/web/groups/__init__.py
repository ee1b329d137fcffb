"""Groups: pages and API for members, invitations, settings, ownership, announcements, calendars."""
