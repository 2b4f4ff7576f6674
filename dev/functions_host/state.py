"""What the parts of a running host share, and what it reports of itself."""

from dataclasses import dataclass, field

from dev.functions_host.client_connection import ClientConnection
from dev.functions_host.settings import HostSettings
from dev.functions_host.supervisor import Supervisor


@dataclass(slots=True)
class HostState:
    """One for each running host."""

    settings: HostSettings
    supervisor: Supervisor
    key: str | None
    """None when no key is asked for."""
    idle_seconds: float
    http_delay_seconds: float | None = None
    """None: the HTTP half of a request goes before its invocation. Else how long after it (for tests)."""
    connections: set[ClientConnection] = field(default_factory=set)
    stopping: bool = False

    async def status(self) -> dict[str, object]:
        """Return what tests and tools on this machine ask for; the real host has such a path too, behind its master key."""
        worker = self.supervisor.current
        contents = await worker.contents() if worker and worker.alive else {}
        return {
            "state": "Stopping" if self.stopping else "Running" if worker else "Starting",
            "version": "development",
            "worker_pid": worker.pid if worker else None,
            "worker_address": f"http://{worker.pool.address}" if worker else None,
            "worker_tasks": contents.get("tasks"),
            "worker_blocks": contents.get("blocks"),
            "restarts": self.supervisor.restarts,
            # Without the one that is answered.
            "open_requests": sum(one.busy for one in self.connections) - 1,
            "functions": [one.name for one in worker.table.functions] if worker else [],
        }
