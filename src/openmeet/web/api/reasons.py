"""Reason codes of the JSON API."""

from groundwork.errors import Reason


class ApiReason(Reason):
    """Reason codes. Their messages are in ``i18n/reasons/site.py``."""

    NOT_FOR_SERVICES = "api.not_for_services"
    SESSION_NEEDED = "api.session_needed"
    INSUFFICIENT_SCOPE = "api.insufficient_scope"
    SERVICES_ONLY = "api.services_only"
    CREDENTIAL_LACKS_SCOPE = "api.credential_lacks_scope"
    NO_VERSION_IN_FORM = "api.no_version_in_form"
    UNKNOWN_VERSION = "api.unknown_version"
    NOTHING_TO_MATCH = "api.nothing_to_match"
    CHANGED_SINCE_READ = "api.changed_since_read"
    MALFORMED_KEY = "api.malformed_key"
    IN_PROGRESS = "api.in_progress"
    KEY_REUSED = "api.key_reused"
    ANSWER_NOT_KEPT = "api.answer_not_kept"
    UNKNOWN_PARAMETER = "api.unknown_parameter"
    TAKES_NO_PARAMETERS = "api.takes_no_parameters"
    UNKNOWN_TOKEN = "api.unknown_token"
    UNKNOWN_CREDENTIAL = "api.unknown_credential"
