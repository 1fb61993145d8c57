"""What goes wrong between a client and a server."""


class ServingError(RuntimeError):
    """A request that was refused, failed or took too long. Its text says where and why."""


class UnavailableError(ServingError):
    """A server that can't be reached, or that isn't ready to answer: asking again may help."""
