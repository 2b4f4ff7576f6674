"""Why the host cannot run at all: one sentence for stderr, and the exit status."""


class HostFailure(Exception):
    """Ends the command; its text is the one line that is printed."""

    status = 1


class UsageFailure(HostFailure):
    """Something in the command or in a settings file must be changed first."""

    status = 2
