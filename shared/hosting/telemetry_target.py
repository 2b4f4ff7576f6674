"""Where the app's log records go, as the platform's own settings name it."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.config.addresses import Address

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

    def check(self) -> None:
        """Raise ValueError for an endpoint that is not an address: the exporter would quote it in every complaint."""
        pairs = (pair.partition("=") for pair in self.connection_string.split(";"))
        values = {name.strip().lower(): value.strip() for name, _, value in pairs}
        suffix = values.get("endpointsuffix", "")
        for endpoint in (values.get("ingestionendpoint", ""), suffix and f"https://{suffix}"):
            if endpoint and Address.parse(endpoint) is None:
                raise ValueError
