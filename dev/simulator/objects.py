"""Files and batches of one account, in memory, as https://learn.microsoft.com/azure/foundry/openai/how-to/batch shows them.

A batch is `validating` until it is looked at, and then runs its lines at once: chat completions alone. The texts of refusals
and the form of a failed line are not documented.
"""

import itertools
import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from dev.simulator.behaviour import BehaviourError
from dev.simulator.call import Json
from dev.simulator.delivery import Delivery
from dev.simulator.forms import read_upload
from dev.simulator.refusals import Refusal, invalid, not_json
from dev.simulator.routes import AskObject
from dev.simulator.wire import Exchange

MOST_OBJECTS = 1_000
DAY_SECONDS = 24 * 3600
CHAT = ("/chat/completions", "/v1/chat/completions")
OVER = ("completed", "failed", "cancelled")
TIMES = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


class NotValidError(Exception):
    """The input file is not valid: the batch fails with this code."""


@dataclass(slots=True)
class Objects:
    """`run` gives the answer to a line's body, or raises `Refusal`."""

    run: Callable[[Json], Json]
    _found: dict[str, Json] = field(default_factory=dict)
    _contents: dict[str, bytes] = field(default_factory=dict)

    async def answer(self, exchange: Exchange, ask: AskObject, delivery: Delivery) -> None:
        if ask.verb == "make":
            await delivery.json(self._upload(exchange) if ask.kind == "files" else self._begin(exchange))
            return
        found = self._get(ask.kind, ask.object_id)
        match ask.verb:
            case "content":
                await delivery.whole(self._contents[ask.object_id], "application/octet-stream")
            case "delete":
                del self._found[ask.object_id], self._contents[ask.object_id]
                await delivery.json({"id": ask.object_id, "object": "file", "deleted": True})
            case "cancel":
                if found["status"] in OVER:
                    message = f"Cannot cancel a batch with status '{found['status']}'."
                    raise invalid(message, param=None, code=None)
                _becomes(found, "cancelling")
                await delivery.json(found)
            case _:
                self._advance(found)
                await delivery.json(found)

    def clear(self) -> None:
        self._found.clear()
        self._contents.clear()

    def _get(self, kind: str, object_id: str, *, param: str = "id") -> Json:
        found = self._found.get(object_id)
        if found is None or found["object"] != {"files": "file", "batches": "batch"}[kind]:
            what = {"files": "File", "batches": "Batch"}[kind]
            error = invalid(f"{what} with id '{object_id}' not found.", param=param, code=None)
            raise Refusal(404, error.body)
        return found

    def _upload(self, exchange: Exchange) -> Json:
        read = read_upload(exchange.headers.get("content-type", ""), exchange.body)
        if read is None:
            raise invalid("There is no file in the form.", param="file", code=None)
        texts, filename, data = read
        return self._keep(f"file-{secrets.token_hex(16)}", filename, data, str(texts.get("purpose", "")))

    def _keep(self, file_id: str, filename: str, data: bytes, purpose: str) -> Json:
        self._contents[file_id] = data
        return self._add(
            {
                "id": file_id,
                "object": "file",
                "bytes": len(data),
                "created_at": int(time.time()),
                "filename": filename,
                "purpose": purpose,
                "status": "processed",
                "status_details": None,
            }
        )

    def _add(self, made: Json) -> Json:
        self._found[made["id"]] = made
        for oldest in list(itertools.islice(self._found, max(0, len(self._found) - MOST_OBJECTS))):
            del self._found[oldest]
            self._contents.pop(oldest, None)
        return made

    def _begin(self, exchange: Exchange) -> Json:
        try:
            body = json.loads(exchange.body)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise not_json()
        self._get("files", str(body.get("input_file_id")), param="input_file_id")
        now = int(time.time())
        return self._add(
            {
                "id": f"batch_{uuid.uuid4()}",
                "object": "batch",
                "completion_window": body.get("completion_window"),
                "created_at": now,
                "expires_at": now + DAY_SECONDS,
                "endpoint": body.get("endpoint"),
                "input_file_id": body["input_file_id"],
                "output_file_id": None,
                "error_file_id": None,
                "errors": None,
                "metadata": body.get("metadata"),
                "request_counts": {"total": 0, "completed": 0, "failed": 0},
                "status": "validating",
                **{f"{name}_at": None for name in TIMES},
            }
        )

    def _advance(self, batch: Json) -> None:
        """Bring a batch on by what it would have done since it was looked at."""
        if batch["status"] == "cancelling":
            _becomes(batch, "cancelled")
        elif batch["status"] == "validating":
            try:
                lines = _lines(self._contents.get(batch["input_file_id"], b""))
                self._run(batch, lines)
            except NotValidError as error:
                _becomes(batch, "failed")
                problem = {"code": str(error), "message": "Simulated: the input file is not valid.", "line": None}
                batch["errors"] = {"object": "list", "data": [problem]}

    def _run(self, batch: Json, lines: list[Json]) -> None:
        _becomes(batch, "in_progress")
        answers, failed = list[bytes](), list[bytes]()
        for line in lines:
            body: Json | str
            try:
                status, body = 200, self.run(line["body"])
            except Refusal as error:
                status, body = error.status, error.body
            except BehaviourError as error:
                status, body = 400, {"error": {"message": str(error), "code": "simulated_behaviour"}}
            response = {"status_code": status, "request_id": str(uuid.uuid4()), "body": body}
            written = msgspec.json.encode({"custom_id": line["custom_id"], "response": response, "error": None})
            (answers if status == 200 else failed).append(written + b"\n")
        _becomes(batch, "finalizing")
        for name, kept in (("output", answers), ("error", failed)):  # the latter may be a file of no bytes
            file_id = f"file-{uuid.uuid4()}"
            self._keep(file_id, f"{batch['id']}_{name}.jsonl", b"".join(kept), "batch_output")
            batch[f"{name}_file_id"] = file_id
        batch["request_counts"] = {"total": len(lines), "completed": len(answers), "failed": len(failed)}
        _becomes(batch, "completed")


def _becomes(batch: Json, status: str) -> None:
    batch["status"] = status
    batch[f"{status}_at"] = int(time.time())


def _lines(data: bytes) -> list[Json]:
    """Return the requests of an input file. Raise `NotValidError` with one of the documented codes."""
    try:
        lines = [json.loads(line) for line in data.decode().splitlines() if line.strip()]
    except ValueError:
        raise NotValidError("invalid_json_line") from None
    if not lines:
        raise NotValidError("empty_file")
    for line in lines:
        if not isinstance(line, dict) or not isinstance(line.get("body"), dict) or "custom_id" not in line:
            raise NotValidError("invalid_request")
        if line.get("url") not in CHAT:
            raise NotValidError("url_mismatch")
    if len({json.dumps(line["custom_id"]) for line in lines}) < len(lines):
        raise NotValidError("duplicate_custom_id")
    if len({json.dumps(line["body"].get("model")) for line in lines}) > 1:
        raise NotValidError("model_mismatch")
    return lines
