"""RSVPs, the attendee list, registration settings, and RSVPs by e-mail."""
