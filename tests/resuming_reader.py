"""One reader of a resumable answer in each format: what it has of it, where it is, and how it asks for the rest."""

import codecs
import json
from typing import Any

FORMATS = ("sse", "ndjson", "jsonl", "text", "chat-protocol", "ui-message", "responses")
_ENDS = {"sse": b"\n\n", "ui-message": b"\n\n", "responses": b"\n\n"}


class Reader:
    """Takes the bytes of one connection after the other. Half an event counts for nothing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.id = ""
        self.text = ""
        self.has_finished = False
        self.failure = ""
        self.has_moved = False
        self._position = 0
        self._held = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def request(self, prompt: str) -> tuple[str, dict[str, Any]]:
        """Return the path and the body with which the answer is asked for."""
        if self.name == "responses":
            return "/v1/responses", {"model": "gpt", "input": prompt, "background": True, "stream": True}
        message: dict[str, Any] = {"role": "user", "content": prompt}
        if self.name == "ui-message":
            message = {"id": "1", "role": "user", "parts": [{"type": "text", "text": prompt}]}
        streams = {"stream": True, "context": {}} if self.name == "chat-protocol" else {}
        return f"/chat?format={self.name}", {"messages": [message], "resume": True, **streams}

    def again(self) -> str:
        """Return the path of what is left."""
        if self.name == "responses":
            return f"/v1/responses/{self.id}?stream=true&starting_after={self._position}"
        if self.name == "ui-message":
            return f"/chat/{self.id}/stream"
        return f"/chat/answers/{self.id}?format={self.name}&after={self._position}"

    def connected(self, answer_id: str) -> None:
        """Begin with another connection, whose head has this id."""
        self._held, self.has_moved = b"", False
        self.id = answer_id or self.id
        if self.name == "ui-message":
            self.text = ""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self.name == "text":
            self._position += len(data)
            self.text += self._decoder.decode(data)  # a character may be cut by the end of a connection
            return
        end = _ENDS.get(self.name, b"\n")
        *events, self._held = (self._held + data).split(end)
        for event in events:
            self._event(event)

    def ended_cleanly(self) -> None:
        """Note the end that HTTP asks for: that of plain text is the answer's."""
        if self.name == "text":
            self.has_finished = True

    def _event(self, frame: bytes) -> None:
        lines = frame.split(b"\n")
        value = next((line.removeprefix(b"data: ") for line in lines if line.startswith((b"data: ", b"{"))), b"")
        if value == b"[DONE]":
            self.has_finished = not self.failure
        if not value.startswith(b"{"):
            return
        event: dict[str, Any] = json.loads(value)
        if self.name == "chat-protocol":
            self._line(event)
            return
        number = next((line[4:] for line in lines if line.startswith(b"id: ")), None)
        self._position = int(number or event.get("seq", event.get("sequence_number", self._position)))
        match event.get("type"):
            case "started":
                self.id = event["resume"]
            case "response.created":
                self.id = event["response"]["id"]
            case "delta":
                self.text += event["text"]
            case "text-delta" | "response.output_text.delta":
                self.text += event["delta"]
            case "finished" | "response.completed":
                self.has_finished = True
            case "failed" | "error":
                self.failure = value.decode()
            case "moved":
                self.has_moved = True

    def _line(self, event: dict[str, Any]) -> None:
        self._position += 1
        if "error" in event:
            self.failure = json.dumps(event)
        delta = event.get("delta", {})
        self.text += delta.get("content", "")
        self.has_finished = self.has_finished or "finish_reason" in delta.get("context", {})
