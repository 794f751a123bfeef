import asyncio
import random
import time

import pytest

from chatserver.audience import ADMITTED, Audience, Standing
from chatserver.model_servers import Configured, ModelServerSpec
from streaming.protocol.errors import ModelUnknown, UpstreamKey, UpstreamUnreachable
from streaming.providers.base import ModelInfo
from streaming.providers.demo import DemoProvider
from streaming.providers.making import provider_of
from streaming.providers.ollama import OllamaProvider
from streaming.providers.registry import Registry, ServerState, close_names
from streaming.providers.scripted import ScriptedProvider
from tests.support.standin import StandIn


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Slow(ScriptedProvider):
    """Takes its time to list, and counts how many ask at once."""

    def __init__(self, seconds: float, **fields) -> None:
        super().__init__([], **fields)
        self.seconds = seconds

    async def models(self):
        self.asked_for_models += 1
        await asyncio.sleep(self.seconds)
        return [ModelInfo(provider=self.name, name=name) for name in self.listed]


def ollama(*models: str, name: str = "ollama") -> ScriptedProvider:
    return ScriptedProvider([], name=name, kind="ollama", models=models)


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def names(registry: Registry) -> list[str]:
    return [model.full_name for model in await registry.models()]


async def test_all_models_of_all_servers_are_listed_in_order():
    registry = Registry([ollama("b:1", "a:1"), ollama("c:1", name="other"), DemoProvider()])
    assert await names(registry) == ["ollama/b:1", "ollama/a:1", "other/c:1", "demo/demo"]


async def test_a_server_is_asked_once_while_its_list_is_fresh(clock):
    server = ollama("a:1")
    registry = Registry([server], ttl=5, clock=clock)
    await registry.models()
    clock.now += 4.9
    await registry.models()
    assert server.asked_for_models == 1
    clock.now += 0.2
    await registry.models()
    assert server.asked_for_models == 2


async def test_who_asks_at_the_same_time_asks_once():
    server = Slow(0.05, models=["a"])
    registry = Registry([server])
    await asyncio.gather(*(registry.models() for _ in range(20)))
    assert server.asked_for_models == 1


async def test_servers_are_asked_at_the_same_time():
    registry = Registry([Slow(0.8, name=f"s{number}", models=["a"]) for number in range(5)])
    begun = time.monotonic()
    assert len(await registry.models()) == 5
    assert time.monotonic() - begun < 5 * 0.8


async def test_a_server_that_hangs_holds_the_list_up_once_and_not_for_long(clock):
    hanging = Slow(60, name="hanging", models=["a"])
    registry = Registry([hanging, ollama("b:1")], deadline=0.1, clock=clock)
    assert await names(registry) == ["ollama/b:1"]
    clock.now += 60
    begun = time.monotonic()
    assert await names(registry) == ["ollama/b:1"]
    assert time.monotonic() - begun < 2
    assert hanging.asked_for_models == 1
    state = (await registry.servers())[0]
    assert (state.ok, state.message) == (False, "The model server hanging takes too long to list its models.")


async def test_a_dead_server_comes_back_by_a_refresh_and_no_other_way(clock):
    server = ollama("a:1")
    server.models_error = UpstreamUnreachable("Start it.")
    registry = Registry([server], clock=clock)
    assert await names(registry) == []
    server.models_error = None
    clock.now += 100
    assert await names(registry) == []
    await registry.refresh()
    assert await names(registry) == ["ollama/a:1"]


async def test_a_server_that_dies_is_no_longer_listed():
    server = ollama("a:1")
    registry = Registry([server])
    await registry.models()
    server.models_error = UpstreamUnreachable("Start it.")
    await registry.refresh()
    assert await names(registry) == []
    assert await registry.servers() == [
        ServerState(name="ollama", kind="ollama", ok=False, message="Start it.", models=("ollama/a:1",))
    ]


async def test_a_surprise_at_one_server_leaves_the_others_alone():
    class Broken(ScriptedProvider):
        async def models(self):
            raise KeyError("secret")

    registry = Registry([Broken([], name="broken"), ollama("a:1")])
    assert await names(registry) == ["ollama/a:1"]
    assert "secret" not in (await registry.servers())[0].message


async def test_a_server_that_answers_says_nothing():
    assert await Registry([DemoProvider()]).servers() == [ServerState(name="demo", kind="demo", ok=True)]


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("ollama/qwen3:8b", "ollama/qwen3:8b"),
        ("qwen3:8b", "ollama/qwen3:8b"),
        ("ollama/llama3.2", "ollama/llama3.2:latest"),
        ("llama3.2", "ollama/llama3.2:latest"),
        (" llama3.2:latest ", "ollama/llama3.2:latest"),
        ("hf.co/some/model:q4", "ollama/hf.co/some/model:q4"),
        ("ollama/hf.co/some/model:q4", "ollama/hf.co/some/model:q4"),
        ("demo/demo", "demo/demo"),
        ("demo", "demo/demo"),
        ("other/both:1", "other/both:1"),
        ("ollama/bench-200@50", "ollama/bench-200@50"),
        ("ollama/qwen3", "ollama/qwen3"),
    ],
)
async def test_a_name_leads_to_its_model(name, full):
    here = ollama("qwen3:8b", "llama3.2:latest", "hf.co/some/model:q4", "both:1")
    registry = Registry([here, ollama("both:1", name="other"), DemoProvider()])
    provider, model = await registry.resolve(name)
    assert (model.full_name, provider.name) == (full, full.partition("/")[0])


@pytest.mark.parametrize(
    "name", ["", "nope", "both:1", "demo/nope", "ollama/", "ollama/a\nb", "x" * 1000, "nowhere/qwen3:8b"]
)
async def test_a_name_that_leads_nowhere_is_told(name):
    registry = Registry([ollama("qwen3:8b", "both:1"), ollama("both:1", name="other"), DemoProvider()])
    with pytest.raises(ModelUnknown):
        await registry.resolve(name)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("qwen3:8", ["ollama/qwen3:8b"]),
        ("both:1", ["ollama/both:1", "other/both:1"]),
        ("olama/qwen3:8b", ["ollama/qwen3:8b"]),
    ],
)
async def test_an_unknown_name_comes_with_the_nearest_ones(name, nearest):
    registry = Registry([ollama("qwen3:8b", "both:1"), ollama("both:1", name="other"), DemoProvider()])
    with pytest.raises(ModelUnknown) as caught:
        await registry.resolve(name)
    assert caught.value.details["model"] == name
    assert caught.value.details["nearest"][: len(nearest)] == nearest


async def test_a_known_name_asks_nobody(clock):
    server = ollama("a:1")
    registry = Registry([server], clock=clock)
    await registry.models()
    clock.now += 1000
    await registry.resolve("a:1")
    assert server.asked_for_models == 1


async def test_a_name_nobody_listed_is_looked_for_again_when_the_list_is_old(clock):
    server = ollama("a:1")
    registry = Registry([server], clock=clock)
    await registry.models()
    server.listed.append("new:1")
    clock.now += 10
    assert (await registry.resolve("new:1"))[1].capabilities


@pytest.mark.parametrize("name", ["ollama/a:1", "a:1", "ollama/never-seen"])
async def test_a_server_that_is_down_is_still_found_so_that_the_run_can_say_so(name):
    server = ollama("a:1")
    registry = Registry([server, DemoProvider()])
    await registry.models()
    server.models_error = UpstreamUnreachable()
    await registry.refresh()
    assert (await registry.resolve(name))[0] is server


async def test_the_default_is_the_preferred_one():
    registry = Registry([ollama("a:1", "b:1"), DemoProvider()])
    assert (await registry.default("b:1")).full_name == "ollama/b:1"


@pytest.mark.parametrize("preferred", ["", "nope"])
async def test_the_default_is_else_the_first_real_one(preferred):
    registry = Registry([DemoProvider(), ollama("a:1", "b:1")])
    assert (await registry.default(preferred)).full_name == "ollama/a:1"


async def test_the_default_is_the_demonstration_where_nothing_else_is():
    server = ollama("a:1")
    server.models_error = UpstreamUnreachable()
    assert (await Registry([server, DemoProvider()]).default()).full_name == "demo/demo"


async def test_without_any_model_there_is_no_default():
    with pytest.raises(ModelUnknown):
        await Registry([]).default()


async def test_closing_closes_the_servers():
    servers = [ollama("a:1"), ollama("b:1", name="other")]
    await Registry(servers).close()
    assert all(server.closed for server in servers)


async def test_a_server_that_appears_is_listed_after_a_refresh_and_gone_when_it_stops():
    with StandIn() as standin:
        standin.stop()
        provider = OllamaProvider(base_url=standin.base_url)
        registry = Registry([provider, DemoProvider()])
        assert await names(registry) == ["demo/demo"]
        assert "ollama serve" in (await registry.servers())[0].message
        standin.start()
        await registry.refresh()
        assert (await names(registry))[0] == "ollama/qwen3:8b"
        standin.stop()
        await registry.refresh()
        assert await names(registry) == ["demo/demo"]
        await registry.close()


async def test_a_name_that_begins_like_its_server_is_found_by_either_name():
    registry = Registry([ollama("openai/gpt-4.1", "other", name="openai"), ollama("openai/else")])
    await registry.refresh()
    for name in ("openai/gpt-4.1", "openai/openai/gpt-4.1"):
        assert (await registry.resolve(name))[1].full_name == "openai/openai/gpt-4.1"
    assert (await registry.resolve("openai/else"))[0].name == "openai"


@pytest.mark.parametrize(("kind", "able"), [("openai", ("completion", "tools")), ("ollama", ())])
async def test_what_an_unlisted_model_can_do_depends_on_its_server(kind, able):
    registry = Registry([ScriptedProvider([], name="here", kind=kind, models=())])
    assert (await registry.resolve("here/unlisted"))[1].capabilities == able


# --- what is configured, and changes ---------------------------------------------------------------------------------

STAFF = Standing(is_staff=True)
RESEARCHER = Standing(groups=frozenset({"research"}))
FOR_STAFF = Audience(whom="staff")
FOR_RESEARCH = Audience(whom="groups", groups=frozenset({"research"}))


def spec(name: str, **fields) -> ModelServerSpec:
    return ModelServerSpec(name=name, kind="openai", url="http://10.0.0.5:1/v1", **fields)


class Made:
    """Providers as they are made of specs; each lists the models that ``listed`` has for its name."""

    def __init__(self, **listed: list[str]) -> None:
        self.listed = listed
        self.made: list[ScriptedProvider] = []

    def __call__(self, spec: ModelServerSpec) -> ScriptedProvider:
        self.made.append(ScriptedProvider([], name=spec.name, kind=spec.kind, models=self.listed.get(spec.name, ["m"])))
        return self.made[-1]


def registry_of(*specs: ModelServerSpec, make: Made | None = None, **aliases: str) -> Registry:
    registry = Registry([DemoProvider()])
    registry.configure(Configured(servers=specs, aliases=aliases), make or Made())
    return registry


async def test_servers_come_and_go_while_it_runs():
    registry, make = registry_of(spec("a")), Made()
    assert await names(registry) == ["a/m", "demo/demo"]
    registry.configure(Configured(servers=(spec("b"), spec("a"))), make)
    assert await names(registry) == ["b/m", "a/m", "demo/demo"]
    assert [provider.name for provider in make.made] == ["b"]  # the other one stayed as it was
    registry.configure(Configured(), make)
    assert await names(registry) == ["demo/demo"]


async def test_another_address_is_another_server_and_another_audience_is_not():
    make = Made()
    registry = registry_of(spec("a"), make=make)
    await registry.models()
    registry.configure(Configured(servers=(spec("a", audience=FOR_STAFF, max_parallel=3),)), make)
    assert (len(make.made), await names(registry)) == (1, ["demo/demo"])
    registry.configure(Configured(servers=(spec("a", key="other"),)), make)
    assert (len(make.made), await names(registry)) == (2, ["a/m", "demo/demo"])


async def test_a_server_that_went_is_closed_when_nobody_is_at_work_with_it_any_more():
    make = Made()
    registry = registry_of(spec("a"), make=make)
    async with registry.at_work("a/m") as (provider, _):
        registry.configure(Configured(servers=(spec("a", key="other"),)), make)
        await registry.refresh()
        assert not provider.closed
        assert (await registry.resolve("a/m"))[0] is make.made[1]
    assert not provider.closed
    await registry.refresh()
    assert [made.closed for made in make.made] == [True, False]
    await registry.close()
    assert make.made[1].closed


async def test_who_stops_closes_also_what_is_still_at_work():
    make = Made()
    registry = registry_of(spec("a"), make=make)
    async with registry.at_work("a/m"):
        registry.configure(Configured(), make)
        await registry.close()
        assert make.made[0].closed


@pytest.mark.parametrize(
    ("person", "known"),
    [
        (Standing(), ["open/m"]),
        (STAFF, ["staff/m", "open/m"]),
        (RESEARCHER, ["lab/m", "open/m"]),
        (ADMITTED, ["staff/m", "lab/m", "open/m"]),
    ],
)
async def test_everybody_sees_what_is_for_them_and_nothing_else(person, known):
    specs = spec("staff", audience=FOR_STAFF), spec("lab", audience=FOR_RESEARCH), spec("open")
    registry = registry_of(*specs, staffs="staff/m", labs="lab/m", opens="open/m")
    assert [model.full_name for model in await registry.models(person)] == [*known, "demo/demo"]
    assert [state.name for state in await registry.servers(person)] == [*(name[:-2] for name in known), "demo"]
    assert {model.full_name for _, model in await registry.aliases(person)} == set(known)
    for name, alias in (("staff/m", "staffs"), ("lab/m", "labs"), ("open/m", "opens"), ("staff/unlisted", "")):
        for asked in filter(None, (name, alias)):
            if name in known or (name == "staff/unlisted" and "staff/m" in known):
                assert (await registry.resolve(asked, person))[1].full_name == name
                assert not registry.hides(asked, person)
            else:
                with pytest.raises(ModelUnknown) as refusal:
                    await registry.resolve(asked, person)
                assert set(refusal.value.details["nearest"]) <= {*known, "demo/demo"}
                assert registry.hides(asked, person)


async def test_a_bare_name_is_looked_for_among_what_is_for_them():
    registry = registry_of(spec("staff", audience=FOR_STAFF), spec("open"))
    assert (await registry.resolve("m"))[1].full_name == "open/m"
    with pytest.raises(ModelUnknown):
        await registry.resolve("m", STAFF)  # two have it
    assert not registry.hides("nowhere", Standing())


async def test_the_default_is_one_that_is_for_them():
    registry = registry_of(spec("staff", audience=FOR_STAFF), spec("open"), default="staff/m")
    assert (await registry.default("", STAFF)).full_name == "staff/m"
    assert (await registry.default("")).full_name == "open/m"
    assert (await registry.default("demo/demo", STAFF)).full_name == "demo/demo"  # what the setting says comes first


async def test_an_alias_leads_to_its_model_and_wins_over_a_model_of_that_name():
    aliases = {"fast": "a/m", "b/m": "a/n", "gone": "nowhere/x", "default": "a/n"}
    registry = registry_of(spec("a"), spec("b"), make=Made(a=["m", "n"]), **aliases)
    await registry.models()
    for name, target in (("fast", "a/m"), (" fast ", "a/m"), ("b/m", "a/n"), ("default", "a/n"), ("m", None)):
        if target is None:
            with pytest.raises(ModelUnknown):
                await registry.resolve(name)
        else:
            assert (await registry.resolve(name))[1].full_name == target
    with pytest.raises(ModelUnknown) as refusal:
        await registry.resolve("gone")
    assert refusal.value.details["model"] == "gone"
    assert [(alias, model.full_name) for alias, model in await registry.aliases()] == [("b/m", "a/n"), ("fast", "a/m")]


async def test_an_alias_of_a_server_that_is_down_is_not_listed():
    make = Made()
    registry = registry_of(spec("a"), make=make, fast="a/m")
    assert len(await registry.aliases()) == 1
    make.made[0].models_error = UpstreamUnreachable()
    await registry.refresh()
    assert await registry.aliases() == []
    assert (await registry.resolve("fast"))[1].full_name == "a/m"  # the run will say so


async def test_only_the_models_that_are_meant_are_there():
    meant = spec("a", models=("small", "other"))
    registry = registry_of(meant, make=Made(a=["large", "small", "other:latest"]))
    assert await names(registry) == ["a/small", "a/other:latest", "demo/demo"]
    with pytest.raises(ModelUnknown):
        await registry.resolve("a/large")


async def test_what_a_server_says_of_itself_has_its_address_for_administrators_only():
    make = Made()
    registry = registry_of(spec("a"), spec("named", shows_address=True), make=make)
    said = "Ollama does not answer at http://10.0.0.5:1. Start it, or set OLLAMA_BASE_URL."
    for provider in make.made:
        provider.models_error = UpstreamUnreachable(said)
    states = {state.name: state.message for state in await registry.servers()}
    assert states["named"] == said
    assert states["a"] == (
        "The model server a cannot be reached. Start it, or have an administrator check its address."
    )
    details = {state.name: detail for state, detail in registry.health()}
    assert details["a"] == "Ollama does not answer at http://10.0.0.5:1. Start it, or set its address."


async def test_a_server_whose_key_does_not_open_says_so():
    registry = Registry([])
    registry.configure(Configured(servers=(spec("a", trouble="The key of a does not open."),)), provider_of)
    (state,) = await registry.servers()
    assert state.message == "The model server a did not accept our key. An administrator must check the key."
    assert [detail for _, detail in registry.health()] == ["The key of a does not open."]
    provider, _ = await registry.resolve("a/x")
    with pytest.raises(UpstreamKey):
        await provider.complete(None)
    with pytest.raises(UpstreamKey):
        await anext(provider.stream(None))


async def test_before_a_name_counts_as_unknown_changes_are_looked_for():
    registry, make = registry_of(), Made()

    async def look() -> None:
        registry.configure(Configured(servers=(spec("a"),)), make)

    registry.look = look
    assert (await registry.resolve("demo/demo"))[1].full_name == "demo/demo"
    assert make.made == []
    assert (await registry.resolve("a/m"))[1].full_name == "a/m"


def test_whoever_asks_for_a_model_that_is_not_there_holds_nobody_up() -> None:
    """In the event loop. Names of the same letters are what takes difflib longest: seconds, for these."""
    letters = random.Random(1)
    known = ["".join(letters.sample("abcdefgh-." * 10, 100)) for _ in range(4000)]
    begun = time.process_time()
    close_names(known[0][::-1], known)
    assert time.process_time() - begun < 0.5
    assert close_names("gamma", [*known, "gemma", "other/gemma:2b"])[0] == "gemma"
