import pytest

from streaming.providers.openai_models import MAX_MODELS, is_listing, model_infos


def listed(*entries) -> list:
    return model_infos("openai", {"object": "list", "data": [*entries]})


def only(**entry):
    (model,) = listed({"id": "m", "object": "model", **entry})
    return model


def test_a_name_is_enough(endpoints):
    (model,) = model_infos("openai", endpoints["GET /v1/models"])
    assert (model.full_name, model.capabilities) == ("openai/qwen3:8b", ("completion", "tools"))
    assert (model.context_length, model.loaded, model.size_bytes) == (None, None, None)


def test_null_is_an_empty_list(endpoints):
    assert model_infos("openai", endpoints["GET /v1/models (no models)"]) == []


@pytest.mark.parametrize("body", [{"object": "list", "data": None}, {"data": []}, []])
def test_an_empty_list_is_one(body):
    assert is_listing(body)


@pytest.mark.parametrize("body", [None, {}, "ok", 7, {"models": []}])
def test_what_is_no_list_is_none(body):
    assert not is_listing(body)
    assert model_infos("openai", body) == []


VENDORS = {
    "vLLM": (
        {
            "id": "Qwen/Qwen3-8B",
            "owned_by": "vllm",
            "root": "/models/q",
            "parent": None,
            "max_model_len": 32768,
            "permission": [],
        },
        ("completion", "tools"),
        32768,
    ),
    "llama.cpp": (
        {
            "id": "q.gguf",
            "owned_by": "llamacpp",
            "meta": {"vocab_type": 2, "n_ctx_train": 40960, "n_params": 8, "size": 99},
        },
        ("completion", "tools"),
        40960,
    ),
    "OpenRouter": (
        {
            "id": "deepseek/deepseek-r1",
            "context_length": 163840,
            "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
            "top_provider": {"context_length": 128000},
            "supported_parameters": ["tools", "tool_choice", "reasoning"],
        },
        ("completion", "tools", "thinking", "vision"),
        128000,
    ),
    "OpenRouter, without tools": (
        {"id": "x/y", "context_length": 4096, "supported_parameters": ["max_tokens", "temperature"]},
        ("completion",),
        4096,
    ),
    "LM Studio": (
        {"id": "q", "type": "vlm", "state": "not-loaded", "max_context_length": 131072, "loaded_context_length": 8192},
        ("completion", "tools", "vision"),
        8192,
    ),
    "LM Studio, which says what it can": (
        {"id": "q", "type": "llm", "capabilities": ["tool_use"]},
        ("completion", "tools"),
        None,
    ),
    "Mistral": (
        {
            "id": "m",
            "capabilities": {"completion_chat": True, "function_calling": False, "vision": True},
            "max_context_length": 131072,
        },
        ("completion", "vision"),
        131072,
    ),
    "Fireworks": (
        {
            "id": "f",
            "context_length": 8192,
            "supports_chat": True,
            "supports_image_input": False,
            "supports_tools": False,
        },
        ("completion",),
        8192,
    ),
    "Groq": ({"id": "g", "active": True, "context_window": 8192}, ("completion", "tools"), 8192),
    "DeepSeek": ({"id": "deepseek-chat", "object": "model", "owned_by": "deepseek"}, ("completion", "tools"), None),
}


@pytest.mark.parametrize(("entry", "capabilities", "context"), VENDORS.values(), ids=VENDORS.keys())
def test_what_a_vendor_says_is_read(entry, capabilities, context):
    (model,) = listed(entry)
    assert (model.name, model.capabilities, model.context_length) == (entry["id"], capabilities, context)


def test_a_list_without_a_frame_is_read():
    assert [model.name for model in model_infos("openai", [{"id": "together/x", "type": "chat"}])] == ["together/x"]


@pytest.mark.parametrize(
    ("entry", "loaded"),
    [
        ({"state": "loaded"}, True),
        ({"state": "not-loaded"}, False),
        ({"status": {"value": "unloaded"}}, False),
        ({}, None),
    ],
)
def test_whether_a_model_is_loaded_is_told_where_the_server_says_it(entry, loaded):
    assert only(**entry).loaded is loaded


@pytest.mark.parametrize(
    "name",
    [
        "text-embedding-3-small",
        "nomic-ai/nomic-embed-text",
        "whisper-1",
        "tts-1-hd",
        "gpt-4o-mini-tts",
        "gpt-4o-transcribe",
        "dall-e-3",
        "gpt-image-1",
        "omni-moderation-latest",
        "gpt-realtime-mini-realtime",
        "babbage-002",
        "BAAI/bge-reranker-v2",
    ],
)
def test_what_is_known_not_to_chat_is_left_out(name):
    assert listed({"id": name}) == []


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "embeddings"},
        {"supports_chat": False},
        {"capabilities": {"completion_chat": False}},
        {"architecture": {"output_modalities": ["image"]}},
    ],
)
def test_what_the_server_says_does_not_chat_is_left_out(entry):
    assert listed({"id": "m", **entry}) == []


@pytest.mark.parametrize(
    "name", ["gpt-4.1-mini", "o3", "openai/gpt-oss-20b", "embers-7b/chat", "meta-llama/Llama-3.1-8B-Instruct"]
)
def test_what_chats_is_listed(name):
    assert [model.name for model in listed({"id": name})] == [name]


@pytest.mark.parametrize(
    "entry", [None, 7, "m", {}, {"id": None}, {"id": ""}, {"id": "x" * 201}, {"id": "a\nb"}, {"id": ["m"]}]
)
def test_an_entry_without_a_usable_name_is_left_out(entry):
    assert [model.name for model in listed(entry, {"id": "m"})] == ["m"]


@pytest.mark.parametrize("value", [True, -1, 0, 1.5, "8192", None, [], {}, 10**30])
def test_what_is_of_a_wrong_type_counts_as_not_said(value):
    odd = dict.fromkeys(("max_model_len", "context_length", "meta", "top_provider", "architecture", "state"), value)
    model = only(**odd, capabilities=value, supported_parameters=value if isinstance(value, str) else None)
    assert (model.context_length, model.loaded, model.capabilities) == (None, None, ("completion", "tools"))


def test_no_list_is_too_long():
    assert len(listed(*({"id": f"m{number}"} for number in range(MAX_MODELS + 5)))) == MAX_MODELS


@pytest.mark.parametrize("kind", [["llm"], {"of": "llm"}, 7, None])
def test_a_type_that_is_no_word_counts_as_not_said(kind):
    assert only(type=kind).name == "m"


def test_a_name_that_is_listed_twice_is_one_model_as_it_was_listed_first():
    first, second = {"id": "m", "context_length": 4096}, {"id": "m", "context_length": 8192}
    assert [(model.name, model.context_length) for model in listed(first, {"id": "n"}, second)] == [
        ("m", 4096),
        ("n", None),
    ]
