"""One run's loop: observe → plan → act → say. Level-based: every look takes in everything.

The run directory's turns go on in a thread (`VolumeTurns`), so that a volume that hangs holds up
this run alone, and only its thread. The cluster is looked at when an event wakes the loop, when a
turn has brought news, and every few seconds in any case.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Mapping
from typing import Any

from autolfads_operator.cluster.acceptance import Asked, objection
from autolfads_operator.cluster.acting import act
from autolfads_operator.cluster.after_the_end import has_ended, look_after_the_end
from autolfads_operator.cluster.backoff import Backoff
from autolfads_operator.cluster.client import ApiError
from autolfads_operator.cluster.conditions import Held, Situation
from autolfads_operator.cluster.deaths import Deaths
from autolfads_operator.cluster.holding import held_by, held_by_deaths
from autolfads_operator.cluster.limits import Limits
from autolfads_operator.cluster.lost_nodes import LostNodes
from autolfads_operator.cluster.metrics.of_runs import Known
from autolfads_operator.cluster.metrics.preempted import Preempted
from autolfads_operator.cluster.metrics.tally import Tally
from autolfads_operator.cluster.names import PREPARE, WORKER, Condition
from autolfads_operator.cluster.operator import Operator
from autolfads_operator.cluster.packing import Finding, packing_of
from autolfads_operator.cluster.plan import Wanted, plan
from autolfads_operator.cluster.pod_facts import PodFacts, facts_of
from autolfads_operator.cluster.run_object import RunObject, read_run
from autolfads_operator.cluster.unmade import Unmade
from autolfads_operator.cluster.unstarted import Unstarted
from autolfads_operator.cluster.voice import Voice
from autolfads_operator.cluster.volume_side import Seen
from autolfads_operator.cluster.volume_turns import VolumeTurns
from autolfads_trainer.userinput import InputError

LOOK = 3.0  # seconds between looks at the cluster when nothing happens
SOON = 0.1  # seconds from news to a look: they come in swarms, a pod alone brings five
SELDOM = 30.0  # seconds between looks at a run that is over
LAST_RETRY = 60.0  # seconds, of requests that the API refuses
WIND_UP = 60.0  # seconds after a run's end in which workers leave by themselves, with their logs


class RunLoop:
    """The loop of the run of one uid."""

    def __init__(self, operator: Operator, uid: str) -> None:
        self.operator, self.uid = operator, uid
        self.last_turn = time.monotonic()  # when the last turn ended, for the probe
        self.log = logging.LoggerAdapter(logging.getLogger("autolfads.run"), {"run": uid})
        self._run: RunObject | None = None
        self._volume: VolumeTurns | None = None
        self._voice = Voice(operator.client)
        self._awake = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._next_look = 0.0
        self._looked_at: Seen | None = None  # what the volume's turns had seen at the last look
        self._retry_at, self._backoff = 0.0, Backoff(LAST_RETRY)
        self._refused: Finding | None = None
        self._is_accepted = False
        self._held: Held | None = None
        self._pod_bodies: list[Mapping[str, Any]] = []
        self._pods: tuple[PodFacts, ...] = ()
        self._unmade = Unmade(operator.facts)
        self._unstarted = Unstarted(operator.facts)
        self._lost_nodes, self._deaths = LostNodes(), Deaths()
        self._preempted = Preempted()
        self._last_seen: Seen | None = None  # of a run that is over, for metrics
        self._tally: Tally | None = None
        self._over_since: float | None = None

    def known(self) -> Known | None:
        """Return what is known of the run, for metrics; None: nothing yet."""
        run, volume = self._run, self._volume
        if run is None:
            return None
        return Known(
            run=run,
            status=self._voice.written or run.status,
            seen=volume.seen if volume is not None else self._last_seen,
            tally=volume.side.tally if volume is not None else self._tally,
            preempted=self._preempted.count,
            gpu_share=packing_of(run.spec.workers).gpu_share(run.spec.workers),
            price=self.operator.settings.gpu_hour_price,
        )

    def wake(self) -> None:
        """Look at the cluster soon: something happened there."""
        self._look_soon()
        self._awake.set()

    def _look_soon(self) -> None:
        self._next_look = min(self._next_look, time.monotonic() + SOON)

    def _came_back(self) -> None:
        """Note that a turn on the volume has come back. Called in its thread."""
        self._loop.call_soon_threadsafe(self._awake.set)

    async def run(self) -> None:
        """Turn until the run's object is gone."""
        try:
            while (body := self.operator.mirror.runs.objects.get(self.uid)) is not None:
                self._awake.clear()
                try:
                    await self._turn(body)
                except ApiError as error:
                    self._put_off(error)
                except Exception:
                    self.log.exception("a turn failed, and is taken again")
                    self._retry_at = time.monotonic() + LAST_RETRY
                self.last_turn = time.monotonic()
                await self._rest()
        finally:
            if self._looking is not None:
                self._looking.cancel()
            self._end_turns()

    async def _rest(self) -> None:
        now = time.monotonic()
        # A look that goes on wakes the loop up when it is done.
        until = max(self._next_look, self._retry_at) if self._looking is None else now + SELDOM
        if self._volume is not None and self.uid in self.operator.at_work:
            until = min(until, self._volume.next_at)
        try:
            await asyncio.wait_for(self._awake.wait(), max(0.02, until - now))
        except TimeoutError:
            return

    def _put_off(self, error: ApiError) -> None:
        wait = self._backoff.after(error)
        self._retry_at = time.monotonic() + wait
        self.log.warning("API: %s (%s); again in %.0f s", error, error.status, wait)

    async def _turn(self, body: Mapping[str, Any]) -> None:
        self._take_what_came_of_the_look()
        run = self._observe_run(body)
        if self._looking is not None and (run is None or run.deleting):
            return  # a look is never older than what follows it
        if run is None or run.deleting or has_ended(self._voice.written or run.status):
            self._end_turns()
            self._next_look = time.monotonic() + SELDOM
            if run is not None and not run.deleting:
                left = await look_after_the_end(self.operator, run, self._voice)
                self._next_look = time.monotonic() + min(SELDOM, left)
            return
        pods = self._observe_pods()
        if self._is_accepted and self._held is None and self.operator.mirror.is_complete:
            self.operator.at_work.add(self.uid)
            self._turn_on_volume(run, pods)
        else:
            self.operator.at_work.discard(self.uid)
        now = time.monotonic()
        if self._looking is None and now >= self._next_look and now >= self._retry_at:
            self._next_look = now + LOOK
            # Beside the turns: an API that does not answer must not hold up the training.
            self._looking = asyncio.create_task(self._look(run, pods))
            self._looking.add_done_callback(lambda _: self._awake.set())

    def _take_what_came_of_the_look(self) -> None:
        """Raise what the last look has raised, if one has ended."""
        if self._looking is None or not self._looking.done():
            return
        look, self._looking = self._looking, None
        look.result()
        self._backoff.reset()

    def _observe_run(self, body: Mapping[str, Any]) -> RunObject | None:
        """Read the object, if it is new; a new generation is a new chance for what was held."""
        known, metadata = self._run, body["metadata"]
        if known is not None and known.generation == metadata["generation"]:
            deleting = "deletionTimestamp" in metadata
            labels = metadata.get("labels") or {}
            if (known.deleting, known.labels) != (deleting, labels):  # no new generation for them
                self._run = dataclasses.replace(known, deleting=deleting, labels=labels)
            return self._run
        try:
            run = read_run(body)
        except InputError as error:  # the cluster's definition of a run is not this operator's
            if known is None:
                self.log.warning("not a run that this operator understands: %s", error)
            return None
        self.log = logging.LoggerAdapter(logging.getLogger("autolfads.run"), {"run": run.name})
        self._run = run
        if known is None:
            self._voice.begin(run)
            self._held = held_by(run.status, run.generation)
        else:
            self._held = None
            self._next_look = 0.0
            if self._volume is not None:
                self._volume.try_again(run)
        return run

    def _observe_pods(self) -> tuple[PodFacts, ...]:
        """Read the pods, if one of them is new: each turn on the volume leads here."""
        bodies = self.operator.mirror.pods.of_run(self.uid)
        if bodies != self._pod_bodies:
            self._pod_bodies, self._pods = bodies, facts_of(bodies)
            self._preempted.note(self._pods)
        return self._pods

    def _turn_on_volume(self, run: RunObject, pods: tuple[PodFacts, ...]) -> None:
        if self._volume is None:
            at_work = self.operator.at_work.__len__
            self._volume = VolumeTurns(run, self.operator.settings, self._came_back, at_work)
        volume = self._volume
        pool = volume.side.pool
        running = [pod for pod in pods if pod.phase == "running"]
        pool.preparing = tuple(pod.uid for pod in running if pod.role == PREPARE)
        pool.training = tuple(pod.uid for pod in running if pod.role == WORKER)
        pool.told_to_leave = frozenset(pod.uid for pod in running if pod.leaving)
        volume.step(idle=run.spec.suspend and not running)
        self._held = volume.held
        seen = volume.seen
        news = seen is not None and seen.is_news_after(self._looked_at)
        if news or volume.trouble != self._voice.trouble:
            self._look_soon()
        if volume.over and self._over_since is None:
            self._over_since = time.monotonic()

    def _end_turns(self) -> None:
        self.operator.at_work.discard(self.uid)
        if self._volume is not None:
            self._volume.end()
            self._last_seen, self._tally = self._volume.seen, self._volume.side.tally
            self._volume = None

    # The cluster

    async def _look(self, run: RunObject, pods: tuple[PodFacts, ...]) -> None:
        operator, volume = self.operator, self._volume
        self._refused = objection(
            Asked(
                run,
                operator.settings.claim,
                await operator.facts.shared_claim(),
                (operator.settings.uid, operator.settings.gid),
            )
        )
        if volume is not None and volume.refused is not None:
            self._refused = volume.refused
        newly_accepted = self._refused is None and not self._is_accepted
        self._is_accepted = self._refused is None
        if newly_accepted and volume is None:
            self._awake.set()  # for the first turn on the volume
        self._find_the_dying(run, pods)
        limits = Limits(run, self._voice.started, time.time())
        seen = self._looked_at = volume.seen if volume is not None else None
        alive = [pod for pod in pods if pod.phase != "over"]
        wound_up = self._is_wound_up(alive)
        wanted = self._wanted(run, rests=limits.past_deadline or (wound_up and bool(alive)))
        jobs = operator.mirror.jobs.of_run(self.uid)
        now = Situation(
            run=run,
            wanted=wanted,
            refused=self._refused,
            other_operators=tuple(operator.other_operators),
            seen=seen,
            jobs=jobs,
            pods=pods,
            lacking=await self._lacking(run, wanted),
            not_made=await self._unmade.look(wanted, jobs, pods)
            or await self._unstarted.look(pods),
            died=self._deaths.so_far(pods),
            trouble=volume.trouble if volume is not None else None,
            stalled=volume.stalled if volume is not None else False,
            held=self._held,
            tidied=wound_up,
            past_deadline=limits.past_deadline,
        )
        await self._act(run, now)
        if self._knows_what_to_say(now):
            await self._voice.say(now)

    def _knows_what_to_say(self, now: Situation) -> bool:
        """Return False before the first turn of a run of which something was said before."""
        told = now.refused or now.held or now.trouble or now.past_deadline
        return now.seen is not None or bool(told) or not (self._voice.written or {}).get("state")

    def _is_wound_up(self, alive: list[PodFacts]) -> bool:
        """Whether the run is over and nobody is waited for: who comes up only now has to go."""
        if self._over_since is None:
            return False
        seen = self._volume.seen if self._volume is not None else None
        told = seen.showing_life if seen is not None else frozenset[str]()
        return (
            not any(pod.uid in told for pod in alive)
            or time.monotonic() - self._over_since > WIND_UP
        )

    def _wanted(self, run: RunObject, *, rests: bool) -> Wanted:
        volume = self._volume
        seen = volume.seen if volume is not None else None
        if run.spec.suspend or self._held is not None or rests:
            return Wanted("rest")
        if volume is not None and volume.refused is not None:
            return Wanted("rest")  # the folder is another run's: nobody here has work
        if self._refused is not None or seen is None:
            return Wanted("unknown")
        if not seen.prepared:
            return Wanted("prepare")
        population = seen.picture.population or 1
        return Wanted("train", min(run.spec.workers.count, population))

    async def _lacking(self, run: RunObject, wanted: Wanted) -> Finding | None:
        if wanted.stage == "rest" or run.spec.workers.gpu.sharing == "none":
            return None
        workers = run.spec.workers
        offer = await self.operator.facts.offer(devices=workers.gpu.sharing == "dra")
        if isinstance(offer, Finding):
            return offer
        count = wanted.count if wanted.stage == "train" else workers.count
        return packing_of(workers).lacking(workers, count, offer)

    def _find_the_dying(self, run: RunObject, pods: tuple[PodFacts, ...]) -> None:
        """Give up workers whose node is lost; hold the run where all end as they start."""
        gone = self._lost_nodes.given_up(pods)
        seen = self._volume.seen if self._volume is not None else None
        if self._volume is not None:
            self._volume.side.pool.dropped |= gone
        if self._held is not None or run.spec.suspend:
            self._deaths.forget()
        elif seen is not None and seen.end is None:
            jobs = self.operator.mirror.jobs.of_run(self.uid)
            begun = {
                job["metadata"]["name"]: job.get("status", {}).get("startTime") for job in jobs
            }
            role = WORKER if seen.prepared else PREPARE
            last = self._deaths.last(role, pods, begun, seen.showing_life)
            if last is not None:
                condition = Condition.WORKERS_READY if seen.prepared else Condition.DATA_READY
                self._held = held_by_deaths(condition, last)
                self._deaths.forget()

    async def _act(self, run: RunObject, now: Situation) -> None:
        pool = self._volume.side.pool if self._volume is not None else None
        dropped = frozenset(pool.dropped) if pool is not None else frozenset[str]()
        jobs = list(now.jobs)
        actions = plan(run, self.operator.settings, now.wanted, jobs, now.pods, dropped)
        try:
            await act(self.operator.client, actions)
        except ApiError as error:
            if error.may_pass:
                raise
            refused = self._unmade.refused(error, run, actions)
            await self._voice.say(dataclasses.replace(now, not_made=refused))
            raise
