"""The one error tree of both programs.

Each class has a stable `code`, shared by MQTT answers, HTTP problem bodies and the display; the sentence is for
people. Codes are part of the wire contract: never renamed, only added.

    Trouble
    ├── ConfigError            a settings file is wrong: file and key are named
    ├── Malformed              a message from outside does not fit its schema
    │   ├── TooLarge           it is over its size cap
    │   └── UnknownVersion     it is of a version we do not speak
    ├── Refused                a rule says no; nothing has changed
    │   ├── WrongState         not in this state
    │   ├── NotAllowed         this role may not do this
    │   ├── NotAssigned        this person is not assigned to the session
    │   ├── NoSuchSession      the kiosk holds no such session
    │   ├── KioskLost          it did, and has lost it: what the desk has is all there is
    │   ├── Busy               another session is in progress at this kiosk
    │   ├── RequestsOff        the provider lets code users ask for nothing here
    │   ├── RecordingOff       the provider does not allow recordings here
    │   ├── NoConsent          the code user has not agreed to being recorded
    │   ├── TooManyCommands    more in a day than the kiosk can remember the answers of
    │   └── Full               a bound is reached (participants, marks, edits)
    ├── Unreachable            the other side did not answer in time
    ├── DeviceTrouble          camera, sound, display, button: named in the sentence
    └── StoreTrouble           the disk does not take or give back what it should
"""

from __future__ import annotations

from typing import ClassVar


class Trouble(Exception):
    """Expected trouble: has a stable `code` and a sentence somebody can act on."""

    code: ClassVar[str] = "trouble"

    def __init__(self, text: str = "") -> None:
        super().__init__(text or self.code)
        self.text = text or self.code


class ConfigError(Trouble):
    code = "config"


class Malformed(Trouble):
    code = "malformed"


class TooLarge(Malformed):
    code = "too_large"


class UnknownVersion(Malformed):
    code = "unknown_version"


class Refused(Trouble):
    code = "refused"


class WrongState(Refused):
    code = "wrong_state"


class NotAllowed(Refused):
    code = "not_allowed"


class NotAssigned(Refused):
    code = "not_assigned"


class NoSuchSession(Refused):
    code = "no_such_session"


class KioskLost(Refused):
    code = "kiosk_lost"


class Busy(Refused):
    code = "busy"


class RequestsOff(Refused):
    code = "requests_off"


class RecordingOff(Refused):
    code = "recording_off"


class NoConsent(Refused):
    code = "no_consent"


class TooManyCommands(Refused):
    code = "too_many_commands"


class Full(Refused):
    code = "full"


class Unreachable(Trouble):
    code = "unreachable"


class DeviceTrouble(Trouble):
    code = "device"


class StoreTrouble(Trouble):
    code = "store"
