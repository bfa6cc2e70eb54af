"""What a user can cause. Every message says what was found, what was expected and what to do."""


class TsrError(Exception):
    """A failure that a user can cause and mend; commands print it as one line and exit with 1."""


class ClipError(TsrError):
    """A video or frame folder that cannot be read, or does not hold what the job needs."""


class OutputError(TsrError):
    """A result that cannot be written where it was asked for."""


class ModelError(TsrError):
    """A model file that is damaged, foreign, or made for another job."""


class SettingsError(TsrError):
    """Settings that contradict each other or the input."""


class DeviceError(TsrError):
    """A GPU, driver or library that was asked for and is not there, or that failed."""


def refusal(error: OSError) -> str:
    """What the system refused, in a line: names too long, links in circles, disks that vanish."""
    return f"{error.filename or 'the system'}: {error.strerror or error}"
