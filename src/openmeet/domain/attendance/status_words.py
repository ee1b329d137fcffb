"""RSVP statuses in words."""

from collections.abc import Mapping

from openmeet.domain.attendance.model import AttendanceStatus

STATUS_WORDS: Mapping[AttendanceStatus, str] = {
    AttendanceStatus.ATTENDING: "going",
    AttendanceStatus.INTERESTED: "interested",
    AttendanceStatus.DECLINED: "not going",
    AttendanceStatus.PENDING: "waits for the host",
    AttendanceStatus.WAITLISTED: "on the waitlist",
    AttendanceStatus.INVITED: "invited",
    AttendanceStatus.REJECTED: "turned down",
    AttendanceStatus.ATTENDED: "checked in",
}
