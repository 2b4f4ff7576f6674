"""Why the host cannot run, or go on: one sentence for stderr, and the exit status."""


class HostFailure(Exception):
    """Ends the command; its text is printed."""

    status = 1


class UsageFailure(HostFailure):
    """The command or a settings file is invalid."""

    status = 2
