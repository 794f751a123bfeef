"""One campaign: people ask and read on a shape while the nemesis breaks it; then all is healed, gathered and judged."""

import asyncio
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import httpx

from tests.chaos.checker import Anomaly, Kind, anomalies, tokens_lost
from tests.chaos.history import Evidence, Send
from tests.chaos.nemesis import Deed, Nemesis
from tests.chaos.readers import Readers, Way
from tests.chaos.senders import MODELS, Model, Senders
from tests.chaos.shapes import Plan, Shape
from tests.support.sse import Parser

ASKERS = 6
READERS = 2  # of each run
SETTLE_WITHIN = 60.0  # from the last deed to the end of all runs and all readers
ON_THE_WIRE = 0.15  # seconds for which what a dead process has sent may still arrive


@dataclass(frozen=True)
class Outcome:
    """What a campaign found. Times in seconds; ``takeovers`` from a kill to the next event of a run that it hit."""

    plan: Plan
    seed: int
    found: list[Anomaly]
    tried: Counter[str]
    kills: int
    runs: int
    ends: Counter[str]
    events: int
    tokens_lost: int
    longest_pause: float
    pause_after: str  # in which run, and what was broken while it lasted
    takeovers: list[float]
    seconds: float
    evidence: Evidence

    @property
    def takeover_p50(self) -> float | None:
        return statistics.median(self.takeovers) if self.takeovers else None

    def __str__(self) -> str:
        p50 = "-" if self.takeover_p50 is None else f"{self.takeover_p50:.1f} s, at most {max(self.takeovers):.1f} s"
        return (
            f"{self.plan.name}: {self.kills} kills and {sum(self.tried.values()) - self.kills} other faults in "
            f"{self.seconds:.0f} s, {self.runs} runs {dict(self.ends)}, {self.events} events seen, {self.tokens_lost} "
            f"tokens lost, longest pause {self.longest_pause:.1f} s ({self.pause_after}), taken over after {p50}; "
            f"CHAOS_SEED={self.seed}; tried: {dict(self.tried)}"
        )


async def campaign(shape: Shape, *, seed: int, kills: int, seconds: float) -> Outcome:
    """Until so many kills, or for so long. The seed decides what is asked and what is broken, not what comes of it."""
    chance = Random(seed)
    begun = time.monotonic()
    async with httpx.AsyncClient(trust_env=False, verify=False, limits=httpx.Limits(max_connections=None)) as http:
        token = shape.people["ada"].token
        common = {"ways": shape.ways, "token": token, "http": http}
        senders = Senders(**common, chance=Random(chance.random()))  # type: ignore[arg-type]
        readers = Readers(**common, chance=Random(chance.random()))  # type: ignore[arg-type]
        nemesis = Nemesis(shape, Random(chance.random()))
        over = asyncio.Event()
        threads = [await senders.new_thread() for _ in range(ASKERS)]
        asking = [
            asyncio.create_task(_ask(thread, senders, readers, Random(chance.random()), over)) for thread in threads
        ]
        try:
            while nemesis.kills < kills and time.monotonic() - begun < seconds:
                await _something_runs(readers)
                await asyncio.sleep(nemesis.chance.uniform(0.0, 0.6))
                await nemesis.act()
                _raise_of(asking)
        finally:
            over.set()
            await nemesis.rest()
            await asyncio.to_thread(shape.heal)
            settled = await _settled(shape, asking)
        evidence = await _gathered(shape, senders, readers, http)
    pause, pause_after = _longest_pause(evidence, nemesis.deeds)
    found = nemesis.found + anomalies(evidence) + _ends_that_should_not_be(evidence, nemesis.deeds)
    if not settled:
        found.append(Anomaly(Kind.STUCK, "-", "campaign", f"not all has ended {SETTLE_WITHIN} s after the last fault"))
    return Outcome(
        plan=shape.plan,
        seed=seed,
        found=found,
        tried=nemesis.tried,
        kills=nemesis.kills,
        runs=len(evidence.rows),
        ends=Counter(row.status for row in evidence.rows.values()),
        events=len(readers.everything()),
        tokens_lost=tokens_lost(evidence),
        longest_pause=pause,
        pause_after=pause_after,
        takeovers=_takeovers(evidence, nemesis.deeds),
        seconds=time.monotonic() - begun,
        evidence=evidence,
    )


async def _ask(thread: str, senders: Senders, readers: Readers, chance: Random, over: asyncio.Event) -> None:
    """One person in one thread: a question, two readers of its answer, now and then one more that waits, or a stop."""
    while not over.is_set():
        model: Model = chance.choices(MODELS, [model.weight for model in MODELS])[0]
        run_id = await senders.ask(thread, model)
        if run_id is None:
            continue
        runs = [run_id]
        if chance.random() < 0.2:
            waiting = await senders.ask(thread, chance.choice(MODELS), waits=True)
            runs += [waiting] if waiting is not None else []
        reading = [
            asyncio.create_task(readers.follow(each, transport=transport))
            for each in runs
            for transport in chance.choices(["sse", "socket"], k=READERS)
        ]
        if chance.random() < 0.08:
            await asyncio.sleep(chance.uniform(0.0, 0.8))
            await senders.cancel(chance.choice(runs))
        await asyncio.gather(*reading)


async def _something_runs(readers: Readers, *, within: float = 30.0) -> None:
    """There is something to lose: a run that somebody reads has come beyond its beginning, and not to its end."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        live = [reading for reading in readers.readings[-3 * ASKERS * READERS :] if not reading.finished]
        if any(len(connection.arrivals) > 3 for reading in live for connection in reading.connections):
            return
        await asyncio.sleep(0.02)


async def _settled(shape: Shape, asking: list[asyncio.Task[None]]) -> bool:
    """Whether everybody who asked has come to the end."""
    try:
        async with asyncio.timeout(SETTLE_WITHIN):
            await asyncio.gather(*asking)
            while await asyncio.to_thread(shape.active):
                await asyncio.sleep(0.1)
    except TimeoutError:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        return False
    return True


def _raise_of(asking: list[asyncio.Task[None]]) -> None:
    for task in asking:
        if task.done():
            task.result()


async def _gathered(shape: Shape, senders: Senders, readers: Readers, http: httpx.AsyncClient) -> Evidence:
    evidence = Evidence(
        readings=readers.readings, sends=senders.sends, rows=await asyncio.to_thread(shape.rows), refusals=[]
    )
    evidence.refusals += [*senders.refusals, *readers.refusals]
    room = asyncio.Semaphore(8)
    headers = {"Authorization": f"Bearer {shape.people['ada'].token}", "Accept": "text/event-stream"}

    async def read(way: Way, run_id: str) -> None:
        async with room:
            url = f"{way.url}/api/v1/runs/{run_id}/events?after=0&snapshot=0"
            answer = await http.get(url, headers=headers, timeout=30)
            texts = [message.data for message in Parser().feed(answer.content)] if answer.status_code == 200 else []
            evidence.logs.setdefault(run_id, {})[way.node] = texts

    # The others need not tell all of it once more.
    ways = [(shape.ways[0], run) for run in evidence.rows]
    ways += [(way, run) for way in shape.ways[1:] for run in list(evidence.rows)[-40:]]
    await asyncio.gather(*(read(way, run) for way, run in ways))
    return evidence


# --- what should have come of it ------------------------------------------------------------------------------------


def _ends_that_should_not_be(evidence: Evidence, deeds: list[Deed]) -> list[Anomaly]:
    """A run fails or is interrupted only where that is all that could be done."""
    sends = {run_id: send for send in evidence.sends for run_id in send.runs}
    models = {model.name: model for model in MODELS}
    broken = [deed for deed in deeds if deed.breaks_answers]
    found = []
    for run_id, row in evidence.rows.items():
        send = sends.get(run_id)
        if send is None or row.status in ("completed", "cancelled"):
            continue
        if row.status == "incomplete" and not models[send.model].goes_on:
            continue
        if row.status == "failed" and any(_overlaps(send, evidence, run_id, deed) for deed in broken):
            continue
        found.append(
            Anomaly(Kind.TOKENS, run_id, "row", f"{send.model} ended as {row.status} in attempt {row.attempt}")
        )
    return found


def _overlaps(send: Send, evidence: Evidence, run_id: str, deed: Deed) -> bool:
    seen = [
        arrival.at
        for reading in evidence.readings
        if reading.run_id == run_id
        for connection in reading.connections
        for arrival in connection.arrivals
    ]
    return bool(seen) and send.began <= deed.until and deed.at <= max(seen)


# --- times ----------------------------------------------------------------------------------------------------------


def _first_seen(evidence: Evidence) -> dict[str, list[tuple[float, int]]]:
    """When each event of each run was first seen by anybody, in order."""
    first: dict[str, dict[int, float]] = {}
    for reading in evidence.readings:
        seen = first.setdefault(reading.run_id, {})
        for connection in reading.connections:
            for arrival in connection.arrivals:
                number = _number(arrival.text)
                if number is not None:
                    seen[number] = min(arrival.at, seen.get(number, arrival.at))
    return {run_id: sorted((at, number) for number, at in seen.items()) for run_id, seen in first.items()}


def _number(text: str) -> int | None:
    """Its id, without reading all of it: the envelope begins with its name and its number."""
    head = text[:120]
    if '"id":' not in head.partition('"data"')[0]:
        return None
    return int(head.partition('"id":')[2].partition(",")[0])


def _longest_pause(evidence: Evidence, deeds: list[Deed]) -> tuple[float, str]:
    """Between two events of a run, for whoever reads it first; and what was broken while it lasted."""
    pauses = [
        (later[0] - earlier[0], earlier[0], later[0], run_id)
        for run_id, seen in _first_seen(evidence).items()
        for earlier, later in pairwise(seen)
    ]
    if not pauses:
        return 0.0, ""
    longest, begun, ended, run_id = max(pauses)
    names = [deed.name for deed in deeds if deed.at <= ended and deed.until >= begun - 1]
    return longest, f"{run_id}: {', '.join(names)}"


def _takeovers(evidence: Evidence, deeds: list[Deed]) -> list[float]:
    seen = _first_seen(evidence)
    found = []
    for deed in deeds:
        for run_id in deed.held:
            known = [number for at, number in seen.get(run_id, []) if at <= deed.at + ON_THE_WIRE]
            head = max(known, default=0)
            news = [at for at, number in seen.get(run_id, []) if number > head]
            if known and news:
                found.append(min(news) - deed.at)
    return found
