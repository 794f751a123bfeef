import pytest

from streaming.providers.ollama_models import Contexts, Facts, can_chat, facts_of_show, loaded, model_info, tags


def tag(**entry):
    return tags({"models": [{"name": "m", **entry}]})[0]


def test_the_recorded_list_is_read(endpoints):
    first, _, embedding, cloud = tags(endpoints["GET /api/tags"])
    assert first.facts == Facts(("completion", "tools", "thinking"), 40960)
    assert (first.size_bytes, first.parameter_size, first.remote) == (5225388164, "8.2B", False)
    assert not can_chat(embedding, embedding.facts)
    assert cloud.remote
    assert model_info("ollama", cloud, cloud.facts, None).size_bytes is None


def test_the_recorded_list_of_an_older_server_leaves_the_facts_open(endpoints):
    (older,) = tags(endpoints["GET /api/tags (older server)"])
    assert older.facts == Facts()
    assert not older.facts.complete
    assert can_chat(older, older.facts)


def test_no_models_are_no_models(endpoints):
    assert tags(endpoints["GET /api/tags (no models)"]) == []


def test_the_recorded_show_is_read(endpoints):
    assert facts_of_show(endpoints["POST /api/show"]) == Facts(("completion", "tools", "thinking"), 40960)


def test_the_recorded_ps_is_read(endpoints):
    assert loaded(endpoints["GET /api/ps"]) == {"qwen3:8b": 4096}


@pytest.mark.parametrize(
    "body", [None, [], "x", {}, {"models": None}, {"models": {"a": 1}}, {"models": [None, 1, {}, []]}]
)
def test_a_body_of_another_shape_has_nothing(body):
    assert (tags(body), loaded(body), facts_of_show(body)) == ([], {}, Facts())


@pytest.mark.parametrize("name", [None, 1, "", "a" * 201, "a\nb", "\x1b[31m"])
def test_unusable_names_are_left_out(name):
    assert tags({"models": [{"name": name}, {"name": "good"}]})[0].name == "good"


def test_an_endless_list_is_cut():
    assert len(tags({"models": [{"name": f"m{i}"} for i in range(5000)]})) == 1000


def test_values_of_a_wrong_type_count_as_not_said():
    strange = tag(size="big", details={"parameter_size": 8, "context_length": -1}, capabilities={"a": 1})
    assert (strange.size_bytes, strange.parameter_size, strange.facts) == (None, None, Facts())
    assert tag(details=[1], capabilities=["tools", 3]).facts == Facts(("tools",), None)


@pytest.mark.parametrize(
    ("capabilities", "family", "chats"),
    [
        (["completion", "embedding"], "x", True),
        (["embedding"], "x", False),
        (["image"], "x", False),
        (["vision"], "x", True),
        ([], "nomic-bert", False),
        ([], "llama", True),
    ],
)
def test_only_what_is_known_not_to_chat_is_left_out(capabilities, family, chats):
    one = tag(capabilities=capabilities, details={"family": family})
    assert can_chat(one, one.facts) == chats


@pytest.mark.parametrize(
    ("trained", "in_memory", "context", "is_loaded"),
    [
        (40960, {"m": 4096}, 4096, True),
        (4096, {"m": 8192}, 4096, True),
        (None, {"m": 4096}, 4096, True),
        (4096, {"m": None}, 4096, True),
        (4096, {}, 4096, False),
        (4096, None, 4096, None),
    ],
)
def test_the_context_is_the_one_in_force(trained, in_memory, context, is_loaded):
    info = model_info("o", tag(), Facts((), trained), in_memory)
    assert (info.context_length, info.loaded) == (context, is_loaded)


def test_what_a_model_can_do_is_told_with_it():
    blind = model_info("o", tag(), Facts(("completion", "thinking"), None), None)
    assert (blind.cannot_see, blind.cannot_think, blind.thinking_levels, blind.thinking_switch) == (
        True,
        False,
        (),
        True,
    )
    able = model_info("o", tag(), Facts(("completion", "vision"), None), None)
    assert (able.cannot_see, able.cannot_think, able.thinking_levels) == (False, True, None)
    unknown = model_info("o", tag(), Facts(), None)
    assert (unknown.cannot_see, unknown.cannot_think, unknown.thinking_levels) == (False, False, None)


@pytest.mark.parametrize("entry", [{"details": {"family": "gptoss"}}, {"name": "hub/gpt-oss:20b"}])
def test_gpt_oss_has_levels_and_no_switch(entry):
    (one,) = tags({"models": [{"name": "m", **entry}]})
    info = model_info("o", one, Facts(("completion", "thinking"), None), None)
    assert (info.thinking_levels, info.thinking_switch) == (("low", "medium", "high"), False)


def test_a_model_is_believed_to_be_loaded_as_it_was_until_it_is_pulled_anew():
    contexts, one, facts = Contexts({}), tag(digest="a"), Facts((), 40960)
    contexts.seen([(one, facts)], {})
    assert contexts.of(one) is None
    contexts.seen([(one, facts)], {"m": 4096})
    contexts.seen([(one, facts)], {})
    assert contexts.of(one) == 4096
    assert model_info("o", one, facts, {}, in_force=contexts.of(one)).context_length == 4096
    contexts.seen([(one, facts)], None)  # /api/ps did not answer
    assert contexts.of(one) == 4096
    contexts.seen([(one, facts)], {"m": None})
    assert contexts.of(one) == 4096
    anew = tag(digest="b")
    contexts.seen([(anew, facts)], {})
    assert (contexts.of(anew), contexts.num_ctx("m")) == (None, None)


def test_of_a_flood_of_capabilities_few_are_told():
    flood = ["completion", "x" * 1000, "\x1b[2J", *map(str, range(1000))]
    capabilities = tag(capabilities=flood).facts.capabilities
    assert (capabilities[0], len(capabilities)) == ("completion", 18)


@pytest.mark.parametrize(("in_memory", "is_loaded"), [({"m": 8192}, False), ({"m": 4096}, True), ({"m": None}, True)])
def test_a_model_that_is_loaded_otherwise_than_it_is_asked_for_is_not_loaded(in_memory, is_loaded):
    info = model_info("o", tag(), Facts((), 40960), in_memory, in_force=4096)
    assert (info.context_length, info.loaded) == (4096, is_loaded)


def test_what_was_configured_counts_for_the_model_that_is_named_and_else_for_all():
    contexts = Contexts({"": 8192, "big": 32768})
    contexts.seen([(tag(), Facts((), 4096))], {"m": 2048})
    assert [contexts.num_ctx(name) for name in ("m", "big:latest", "big:8b", "unlisted")] == [4096, 32768, 8192, 8192]
    assert contexts.of(tag()) == 4096
    assert Contexts({"big": 1024}).num_ctx("m") is None
