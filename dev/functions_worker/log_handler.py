"""The root logger's only handler: log records go to the host as messages, as in Azure."""

import logging

from dev.functions_worker.channel import Channel
from dev.functions_worker.invocation_task import current_invocation


class HostLogHandler(logging.Handler):
    """Queues records; never waits for the host, and never writes to the console."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = self.format(record)
        except Exception:
            self.handleError(record)
            return
        self._channel.send(
            {
                "type": "log",
                "level": record.levelname,
                "category": record.name,
                "message": message,
                "invocation_id": current_invocation(),
            }
        )
