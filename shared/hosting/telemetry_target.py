"""Where the app's telemetry goes, as the platform's own settings name it, and what there is to measure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.config.addresses import Address
from shared.version import VERSION

CONNECTION_STRING_FORM = "InstrumentationKey=<GUID>;IngestionEndpoint=https://<host>/"


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryTarget:
    """The destination, the identity and the app's name there; no `connection_string`: no telemetry."""

    connection_string: str = ""
    with_identity: bool = False
    client_id: str = ""
    role: str = ""
    instance: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "TelemetryTarget":
        """Read the platform's settings. Never raise: `check` does, before the connection string is used."""
        pairs = (pair.partition("=") for pair in env.get("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "").split(";"))
        values = {name.strip().lower(): value.strip() for name, _, value in pairs}
        return cls(
            connection_string=env.get("APPLICATIONINSIGHTS_CONNECTION_STRING", "").strip(),
            with_identity=values.get("authorization", "").upper() == "AAD",
            client_id=values.get("clientid", ""),
            role=env.get("WEBSITE_SITE_NAME", ""),
            instance=env.get("WEBSITE_INSTANCE_ID", ""),
        )

    @property
    def resource(self) -> dict[str, str | int | float | bool]:
        """Return what OpenTelemetry says of the process."""
        found: dict[str, str | int | float | bool] = {"service.name": self.role or "streaming-endpoint"}
        found["service.version"] = VERSION
        return found | ({"service.instance.id": self.instance} if self.instance else {})

    def check(self) -> None:
        """Raise ValueError for an endpoint that is not an address: the exporter would quote it in every complaint."""
        pairs = (pair.partition("=") for pair in self.connection_string.split(";"))
        values = {name.strip().lower(): value.strip() for name, _, value in pairs}
        suffix = values.get("endpointsuffix", "")
        for endpoint in (values.get("ingestionendpoint", ""), suffix and f"https://{suffix}"):
            if endpoint and Address.parse(endpoint) is None:
                raise ValueError


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the app lets be measured, and how its settings want that exported. The functions may be called by any thread.

    `backends`: of each backend, by name, whose API it serves in OpenTelemetry's words, its host and its port.
    """

    otlp_endpoint: str
    otlp_proxy: str
    otlp_headers: str
    semconv: str
    names_callers: bool
    backends: Mapping[str, tuple[str, str, int]]
    open_streams: Callable[[], int]
    ready: Callable[[], Mapping[str, bool]]
