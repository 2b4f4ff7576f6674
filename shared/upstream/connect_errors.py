"""Why a request got no response: aiohttp's exceptions as failures of ours, with a cause for the log."""

import errno
import socket
import ssl
from collections.abc import Callable

import aiohttp

from shared.errors import AnswerError, OutOfResources, UpstreamTimeout, UpstreamUnreachable

_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_CAUSES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((aiohttp.ClientConnectorDNSError, socket.gaierror), "name not known"),
    ((aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError), "TLS certificate not accepted"),
    ((aiohttp.ClientSSLError, ssl.SSLError), "TLS handshake failed"),
    ((ConnectionRefusedError,), "connection refused"),
    ((ConnectionResetError, BrokenPipeError), "connection reset"),
    ((aiohttp.ServerDisconnectedError,), "connection closed without a response"),
    ((aiohttp.ClientResponseError,), "the response is not HTTP, or its head is too large"),
    ((TimeoutError,), "no connection in time"),
)
_CAUSES_BY_ERRNO = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "network unreachable",
    errno.ETIMEDOUT: "no connection in time",
}


_OF_THE_PROXY = (aiohttp.ClientProxyConnectionError, aiohttp.ClientConnectorDNSError, socket.gaierror)
"""What fails before a proxy is reached: it is the only name that is looked up, and the only address that is connected to."""


def connect_error(error: Exception, *, through_proxy: bool = False) -> AnswerError:
    """Return the failure that the exception means. The caller raises it without the exception, which names addresses.

    `through_proxy`: the connection goes through a forward proxy, which the log has to tell from the model's service.
    """
    if _is_out_of_resources(error):
        return OutOfResources("This instance has no room for another connection. Try again in a moment.")
    failure: Callable[..., AnswerError]
    if isinstance(error, TimeoutError):
        failure, message = UpstreamTimeout, "The model's service could not be reached in time."
    else:
        failure, message = UpstreamUnreachable, "The model's service could not be reached."
    is_about_proxy = through_proxy and isinstance(error, _OF_THE_PROXY)
    return failure(message, cause=f"proxy: {_cause(error)}" if is_about_proxy else _cause(error))


def _cause(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy refused the connection (HTTP status {error.status})"
    for kinds, cause in _CAUSES:
        if isinstance(error, kinds):
            return cause
    number = error.errno if isinstance(error, OSError) else None
    return _CAUSES_BY_ERRNO.get(number or 0, type(error).__name__)


def _is_out_of_resources(error: Exception) -> bool:
    """Return whether it is this process that has no file descriptor left.

    A resolver without one only says that the name is not known, so it is tried.
    """
    if isinstance(error, OSError) and error.errno in _OUT_OF_RESOURCES:
        return True
    if not isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return False
    try:
        socket.socket().close()
    except OSError as own:
        return own.errno in _OUT_OF_RESOURCES
    return False
