"""Retrieval of a stored response: as an object, as a resumed stream, its input items; cancellation and deletion."""

from dev.simulator.delivery import Delivery
from dev.simulator.refusals import invalid, unknown_response
from dev.simulator.routes import AskStored
from dev.simulator.stored import Store
from dev.simulator.wire import Exchange


async def retrieve(exchange: Exchange, ask: AskStored, store: Store, delivery: Delivery) -> None:
    stored = store.get(ask.response_id)
    if stored is None:
        raise unknown_response(ask.response_id)
    match ask.verb:
        case "delete":
            await stored.cancel()
            store.delete(ask.response_id)
            await delivery.json({"id": ask.response_id, "object": "response.deleted", "deleted": True})
        case "cancel":
            if not stored.dialect.object.background:
                raise invalid("Cannot cancel a synchronous response.", param=None, code=None)
            await stored.cancel()
            await delivery.json(stored.dialect.object.view())
        case "input_items":
            items = stored.input_items()
            edges = {"first_id": items[0]["id"], "last_id": items[-1]["id"]} if items else {}
            await delivery.json({"object": "list", "data": items, "has_more": False, **edges})
        case "get":
            if exchange.query.get("stream") != "true":
                await delivery.json(stored.dialect.object.view())
                return
            if not stored.is_resumable:
                message = (
                    "This response cannot be streamed: it was not created in the background as a stream, or is too old."
                )
                raise invalid(message, param="stream", code=None)
            after = exchange.query.get("starting_after", "-1")
            if not after.removeprefix("-").isdigit():
                raise invalid(
                    "Invalid 'starting_after': expected an integer.", param="starting_after", code="invalid_type"
                )
            await delivery.watched(stored.watch(after=int(after)))
