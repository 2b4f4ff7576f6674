"""What an address of the OpenAI API means."""

from shared.openai_api.media import MEDIA
from shared.openai_api.paths import (
    Address,
    Inference,
    Media,
    ModelList,
    OneModel,
    StoredResponse,
    find_address,
    is_unserved,
)
from tests.harness.cells import cells

INFERENCE = [
    "chat/completions",
    "completions",
    "responses",
    "responses/compact",
    "responses/input_tokens",
    "embeddings",
]
GET, POST = frozenset({"GET", "HEAD"}), frozenset({"POST"})


@cells("prefix", ["/v1/", "/openai/v1/"])
@cells("path", INFERENCE)
def test_answers_are_at_openais_own_addresses(prefix: str, path: str) -> None:
    address = find_address(prefix + path)
    assert address == Inference(path)
    assert address.methods == POST


@cells("path", INFERENCE)
def test_azures_older_addresses_name_the_deployment_or_leave_it_to_the_body(path: str) -> None:
    assert find_address(f"/openai/deployments/my-gpt/{path}") == Inference(path, "my-gpt", is_azure=True)
    assert find_address(f"/openai/{path}") == Inference(path, is_azure=True)


@cells(
    ("path", "address"),
    [
        ("/chat/completions", Inference("chat/completions")),
        ("/responses", Inference("responses")),
        ("/models", ModelList()),
        ("/responses/resp_1/cancel", StoredResponse("resp_1", "/cancel", POST)),
        ("/v1/v1/embeddings", Inference("embeddings")),
        ("/openai/v1/v1/responses", Inference("responses")),
        ("/v1/openai/deployments/d/completions", Inference("completions", "d", is_azure=True)),
        ("/openai/openai/deployments/d/completions", Inference("completions", "d", is_azure=True)),
        ("/deployments/d/chat/completions", Inference("chat/completions", "d", is_azure=True)),
    ],
)
def test_a_base_url_that_lacks_its_base_or_repeats_it_means_the_same(path: str, address: Address) -> None:
    assert find_address(path) == address


def test_a_stored_response_is_found_below_a_deployment_too() -> None:
    assert find_address("/openai/deployments/d/responses/resp_1") == StoredResponse("resp_1", "", GET | {"DELETE"})
    found = find_address("/openai/deployments/azure/gpt-x/responses/resp_1/cancel")
    assert found == StoredResponse("resp_1", "/cancel", POST)


def test_the_name_of_a_model_or_deployment_may_have_slashes() -> None:
    assert find_address("/v1/models/azure/gpt-x") == OneModel("azure/gpt-x")
    found = find_address("/openai/deployments/azure/gpt-x/chat/completions")
    assert found == Inference("chat/completions", "azure/gpt-x", is_azure=True)


@cells(
    ("path", "address"),
    [
        ("/openai/responses", Inference("responses", is_azure=True)),
        ("/openai/models", ModelList()),
        ("/v1/models", ModelList()),
        ("/v1/models/gpt-5", OneModel("gpt-5")),
        ("/v1/responses/resp_1", StoredResponse("resp_1", "", GET | {"DELETE"})),
        ("/openai/responses/resp_1", StoredResponse("resp_1", "", GET | {"DELETE"})),
        ("/v1/responses/resp_1/cancel", StoredResponse("resp_1", "/cancel", POST)),
        ("/v1/responses/resp_1/input_items", StoredResponse("resp_1", "/input_items", GET)),
    ],
)
def test_models_and_stored_responses_have_addresses(path: str, address: Address) -> None:
    assert find_address(path) == address


@cells("path", MEDIA)
def test_images_and_audio_are_at_the_addresses_of_both(path: str) -> None:
    for prefix in ("/v1/", "/openai/v1/"):
        assert find_address(prefix + path) == Media(MEDIA[path])
    assert find_address(f"/openai/{path}") == Media(MEDIA[path], is_azure=True)
    found = find_address(f"/openai/deployments/azure/my-gpt/{path}")
    assert found == Media(MEDIA[path], "azure/my-gpt", is_azure=True)
    assert found.methods == POST


def test_models_are_only_read() -> None:
    assert ModelList().methods == OneModel("m").methods == GET


@cells(
    "path",
    ["/v1", "/v1/", "/v1/audio", "/v1/images/variations", "/openai/deployments//audio/speech",
     "/v1/chat", "/v1/responses/../secret",
     "/v1/responses/..", "/v1/responses/.", "/v1/responses/../cancel",
     "/v1/responses/../input_items", "/v1/responses/a/b", "/v1/models//b", "/v1/models/",
     "/v1/chat/completions/", "/v1/deployments/d", "/openai/deployments//completions", "/openai/deployments/d/models",
     "/v2/completions", "/", "/chat", "/docs", "/openapi.json", "", "v1/models"],
)  # fmt: skip
def test_everything_else_means_nothing(path: str) -> None:
    assert find_address(path) is None


@cells(
    ("path", "unserved"),
    [
        ("/v1/files", True),
        ("/openai/v1/vector_stores/vs_1/files", True),
        ("/openai/batches", True),
        ("/v1/realtime", True),
        ("/v1/images/variations", True),
        ("/v1/file", False),
        ("/v1", False),
        ("", False),
    ],
)
def test_what_openai_has_and_this_app_does_not_is_known(path: str, *, unserved: bool) -> None:
    assert is_unserved(path) is unserved
    assert find_address(path) is None
