"""The names of metrics, and of the attributes of metrics and spans: a table with a column for each version of the conventions.

OpenTelemetry's conventions for generative AI are in development. Version 1.41 is the last one that
https://github.com/open-telemetry/semantic-conventions published and that dashboards know; since then they are at
https://github.com/open-telemetry/semantic-conventions-genai, where some names changed. Names of our own begin with
`streaming_endpoint.` and are the same in both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

OWN = "streaming_endpoint."
OTHER = "_OTHER"
"""The value of an attribute that would have too many; OpenTelemetry's own word for it."""


class Semconv(Enum):
    """The values of TELEMETRY_SEMCONV."""

    V1_41 = "1.41"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Row:
    """One name in each version, '' where the version has nothing of the kind."""

    v1_41: str
    latest: str

    def name(self, semconv: Semconv) -> str:
        """Return the name in that version."""
        return self.v1_41 if semconv is Semconv.V1_41 else self.latest


def _same(name: str) -> Row:
    return Row(name, name)


METRICS: Mapping[str, Row] = {
    "inference_duration": Row("gen_ai.client.operation.duration", "gen_ai.client.inference.duration"),
    "operation_duration": _same("gen_ai.client.operation.duration"),
    "time_to_first_chunk": Row(
        "gen_ai.client.operation.time_to_first_chunk", "gen_ai.client.inference.time_to_first_chunk"
    ),
    "time_to_first_token": _same("gen_ai.server.time_to_first_token"),
    "token_usage": Row("gen_ai.client.token.usage", ""),
    "input_tokens": Row("", "gen_ai.client.inference.usage.input_tokens"),
    "output_tokens": Row("", "gen_ai.client.inference.usage.output_tokens"),
    "cached_tokens": Row("", "gen_ai.client.inference.usage.cache_read.input_tokens"),
    "reasoning_tokens": Row("", "gen_ai.client.inference.usage.reasoning.output_tokens"),
    "answers": _same(OWN + "answers"),
    "failovers": _same(OWN + "failovers"),
    "clients_left": _same(OWN + "clients.left"),
    "limit_refusals": _same(OWN + "limits.refusals"),
    "open_streams": _same(OWN + "streams.open"),
    "backend_ready": _same(OWN + "backend.ready"),
}

ATTRIBUTES: Mapping[str, Row] = {
    "operation": _same("gen_ai.operation.name"),
    "provider": _same("gen_ai.provider.name"),
    # Deprecated, and the only one that the exporter to Application Insights reads.
    "system": _same("gen_ai.system"),
    "model": _same("gen_ai.request.model"),
    "stream": _same("gen_ai.request.stream"),
    "first_chunk": _same("gen_ai.response.time_to_first_chunk"),
    "token_type": Row("gen_ai.token.type", ""),
    "token_modality": Row("", "gen_ai.token.modality"),
    "input_tokens": _same("gen_ai.usage.input_tokens"),
    "output_tokens": _same("gen_ai.usage.output_tokens"),
    "cached_tokens": _same("gen_ai.usage.cache_read.input_tokens"),
    "reasoning_tokens": _same("gen_ai.usage.reasoning.output_tokens"),
    "error": _same("error.type"),
    "address": _same("server.address"),
    "port": _same("server.port"),
    "id": _same(OWN + "id"),
    "api": _same(OWN + "api"),
    "format": _same(OWN + "format"),
    "ended": _same(OWN + "ended"),
    "backend": _same(OWN + "backend"),
    "outcome": _same(OWN + "outcome"),
    "phase": _same(OWN + "phase"),
    "caller": _same(OWN + "caller"),
    "passages": _same(OWN + "passages"),
}

INFERENCE = frozenset({"chat", "text_completion", "generate_content"})
"""The operations that the latest conventions call inference."""


@dataclass(frozen=True, slots=True)
class Names:
    """One column of the tables, by their keys."""

    metrics: Mapping[str, str]
    attributes: Mapping[str, str]

    @classmethod
    def of(cls, semconv: Semconv) -> "Names":
        """Return the column of that version."""
        return cls(
            {key: row.name(semconv) for key, row in METRICS.items()},
            {key: row.name(semconv) for key, row in ATTRIBUTES.items()},
        )
