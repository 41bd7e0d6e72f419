"""The engine for many machines: Celery workers on Redis or RabbitMQ, told by messages what the ledger owes.

A message carries ids of steps and nothing else; the ledger alone says whether a step is to be done. So a lost
message is sent again after a while, a doubled one finds its steps taken, and neither a broker nor its backups
ever hold content or credentials. Every worker also sends: a dispatcher in each looks after what is due.

When much is owed, a message carries several ids: small steps then cost a fraction of a message each. A worker
whose steps turn out to take long does one and has the others sent anew.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery, signals
from celery.exceptions import CPendingDeprecationWarning
from celery.worker import state
from kombu import Queue

from muniment.errors.base import MunimentError
from muniment.errors.jobs import BrokerUnavailable
from muniment.jobs.broker import BrokerConnection
from muniment.jobs.execution import worker_id
from muniment.jobs.ledger import Ledger
from muniment.jobs.local import Pace
from muniment.jobs.model import DISPATCHER, Priority
from muniment.jobs.outages import OutageLog, tell
from muniment.jobs.process import LONG_MESSAGE, Flag, WorkerProcess
from muniment.jobs.steps import Registry

logger = logging.getLogger(__name__)

TASK = "muniment.steps"
_TOGETHER = 16
"""Ids in one message, when more than twice as many are to be sent."""
_SHORT_STEP = 0.05
_BATCH = 500
_DEPTH = 1000
"""Messages in one queue at most; what else is owed waits in the ledger."""
_LOST = 5.0
"""Seconds after which a message counts as lost when its queue is empty: its worker has died with it, and Redis, which
cannot know that, would not give it to another for a long time."""
_WEEK_MS = 7 * 86400 * 1000
_WEEK = 7 * 86400
_STARVED = 15.0
"""Seconds after which a worker that takes none of the messages that wait connects to the broker anew."""


class CeleryEngine:
    """Sends what is ready and does what arrives.

    `open_ledger` is called once in each process: a pool's processes must not share connections. `resend` is how
    long a message may be under way, in seconds, before it counts as lost; less where none waits in its queue.
    """

    def __init__(
        self,
        broker: str,
        open_ledger: Callable[[], Ledger],
        registry: Registry,
        *,
        pace: Pace | None = None,
        resend: float = 60.0,
        prefix: str = "muniment",
    ) -> None:
        """Connects to nothing yet."""
        self._open = open_ledger
        self._registry = registry
        self._pace = pace or Pace()
        self._resend = resend
        self._prefix = prefix
        self._processes: dict[int, WorkerProcess] = {}
        self._lock = threading.Lock()
        self._stopping = Flag()
        self._name, self._made_in = worker_id("celery"), os.getpid()
        self.app = self._make_app(broker)

    def dispatch(self) -> int:
        """Send messages for the ready steps that have none under way; the number sent.

        Raises:
            BrokerUnavailable: Some were not sent; they are sent again when `resend` is over.
            DatabaseUnavailable: Nothing was sent.
        """
        here, sent = self._here(), 0
        for priority, room in self._rooms(here).items():
            lost_after = min(self._resend, _LOST) if room == _DEPTH else self._resend
            for start in range(0, room, _BATCH):
                count = min(room - start, _BATCH)
                due = here.ledger.leases.unsent(priority, count, self._resend, lost_after=lost_after)
                self._send(here, priority, due)
                sent += len(due)
                if len(due) < _BATCH:
                    break
        return sent

    def keep_dispatching(self, stop: threading.Event, consumer: Consumer | None = None) -> None:
        """Send, sweep and submit what is periodic until `stop`; for a thread of a worker or of a server.

        A worker's `consumer` is made to connect anew when the broker was away.
        """
        here, outages = self._opened(stop), OutageLog(logger)
        if here is None:
            return
        swept = announced = 0.0
        while not stop.is_set():
            before = outages.lasting
            with outages.watching():
                now = time.monotonic()
                if now - announced >= self._pace.seen / 3:
                    engine, names = ("celery", list(self._registry)) if consumer is not None else (DISPATCHER, [])
                    here.ledger.leases.announce(here.owner, engine, names, forget_after=self._pace.forget)
                    announced = now
                if now - swept >= self._pace.sweep:
                    self._sweep(here)
                    swept = now
                self.dispatch()
            if outages.lasting:
                # Not at once when it is over: the others shall first have renewed what they hold.
                announced, swept = 0.0, time.monotonic() - self._pace.sweep + self._pace.lease / 2
            if consumer is not None and not outages.lasting:
                consumer.look_after(here, back=BrokerUnavailable.code() in before - outages.lasting)
            stop.wait(outages.pause(self._pace.poll))
        self._say_goodbye(here)

    def work(
        self,
        *,
        concurrency: int = 2,
        queues: Sequence[Priority] = tuple(Priority),
        pool: str = "prefork",
        loglevel: str = "WARNING",
    ) -> None:
        """Be a worker until asked to stop (SIGTERM: what is under way ends first). Blocks; for a main thread."""
        stop = threading.Event()
        worker = self.app.Worker(
            concurrency=concurrency,
            queues=[self._queue(priority) for priority in queues],
            pool=pool,
            loglevel=loglevel,
            hostname=worker_id(self._prefix).replace(":", "."),
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        consumer = Consumer(worker, [self._queue(priority) for priority in queues])
        thread = threading.Thread(target=self.keep_dispatching, args=(stop, consumer), name="dispatcher", daemon=True)

        def begin(**_: object) -> None:
            if not thread.is_alive():  # it is called again whenever the broker has come back
                thread.start()

        def end(**_: object) -> None:
            self._stopping.set()
            stop.set()

        def leave(**_: object) -> None:
            here = self._processes.get(os.getpid())
            if here is not None:
                here.leave()

        for name in ("celery.worker.consumer.consumer", "celery.worker.request"):
            logging.getLogger(name).addFilter(consumer.hear)
        warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
        signals.worker_ready.connect(begin, weak=False)
        signals.worker_shutting_down.connect(end, weak=False)
        signals.worker_process_shutdown.connect(leave, weak=False)
        try:
            worker.start()
        finally:
            stop.set()
            signals.worker_ready.disconnect(begin)
            signals.worker_shutting_down.disconnect(end)
            signals.worker_process_shutdown.disconnect(leave)
            if thread.is_alive():
                thread.join(10)

    def close(self) -> None:
        """Give up this process's connections."""
        with self._lock:
            here = self._processes.pop(os.getpid(), None)
        if here is not None:
            here.broker.close()
            here.ledger.close()
        self.app.close()

    # --- inside

    def _queue(self, priority: Priority) -> str:
        return f"{self._prefix}.{priority}"

    def _make_app(self, broker: str) -> Celery:
        app = Celery(self._prefix, broker=broker, set_as_current=False)
        app.conf.update(
            accept_content=["json"],
            task_serializer="json",
            result_backend=None,
            task_ignore_result=True,
            task_acks_late=True,
            task_reject_on_worker_lost=True,
            task_acks_on_failure_or_timeout=True,
            worker_prefetch_multiplier=1,
            # Celery would take fewer messages behind a lost connection until one that came after it is done: a step
            # of days would keep the other processes of its worker idle. The ledger refuses what comes twice anyway.
            worker_enable_prefetch_count_reduction=False,
            task_create_missing_queues=False,
            task_default_queue=self._queue(Priority.BULK),
            task_queues=[
                # RabbitMQ would otherwise close a worker's channel when a step takes more than half an hour.
                Queue(self._queue(priority), durable=True, queue_arguments={"x-consumer-timeout": _WEEK_MS})
                for priority in Priority
            ],
            task_publish_retry=False,
            # Redis gives an unacknowledged message to another worker after this; the ledger would refuse it there.
            broker_transport_options={"visibility_timeout": _WEEK, **_confirm(broker)},
            broker_connection_retry_on_startup=True,
            broker_connection_max_retries=None,  # a broker that is away for days is a broker that comes back
            broker_channel_error_retry=True,
            worker_enable_remote_control=False,
            worker_send_task_events=False,
            worker_hijack_root_logger=False,
            worker_redirect_stdouts=False,
        )

        # Not shared: Celery would else register it with every other engine of this process too. Not a bound method:
        # Celery binds tasks itself, and it would lose its argument.
        @app.task(name=TASK, shared=False, bind=True)
        def do(task: Any, steps: list[str]) -> None:
            where = (task.request.delivery_info or {}).get("routing_key", "")
            self._do(steps, bulk=where != self._queue(Priority.PRIORITY))

        return app

    def _here(self) -> WorkerProcess:
        # No lock where it is not needed: a process that is forked while it is held could never take it.
        here = self._processes.get(os.getpid())
        if here is not None:
            return here
        with self._lock:
            # The parent's entry stays after a fork: closing its connections here would cut them there.
            here = self._processes.get(os.getpid())
            if here is None:
                # The pool's processes go by the worker's name, so that it can be seen whose they are.
                mine = os.getpid() == self._made_in
                owner = self._name if mine else f"{self._name}/{os.getpid()}-{uuid.uuid4().hex[:8]}"
                broker = BrokerConnection(self.app, TASK)
                here = WorkerProcess(
                    owner, self._open(), broker, self._registry, self._pace, self._stopping, self._send_on
                )
                self._processes[os.getpid()] = here
            return here

    def _opened(self, stop: threading.Event | Flag) -> WorkerProcess | None:
        """What this process works with, as soon as the ledger can be reached; None when it is to stop before that.

        A process that the pool makes while the ledger is away would else fail with whatever message it takes first.
        """
        outages = OutageLog(logger)
        while not stop.is_set():
            try:
                here = self._here()
            except MunimentError as error:
                outages.failed(error.code(), error)
                time.sleep(outages.pause(self._pace.poll))
            else:
                outages.works()
                return here
        return None

    def _sweep(self, here: WorkerProcess) -> None:
        leases = here.ledger.leases
        tell(logger, leases.sweep(here.owner, self._pace.unclaimed, self._pace.seen, self._registry).news)
        here.ledger.tick()

    def _rooms(self, here: WorkerProcess) -> dict[Priority, int]:
        """How many more messages each queue should hold.

        Without a limit, a backlog that takes longer than `resend` would be sent again and again on top of itself.
        """
        depths = here.broker.depths([self._queue(priority) for priority in Priority])
        return {priority: _DEPTH - depth for priority, depth in zip(Priority, depths, strict=True)}

    def _send(self, here: WorkerProcess, priority: Priority, due: Sequence[str]) -> None:
        if due:
            size = _TOGETHER if len(due) > 2 * _TOGETHER else 1
            here.broker.send(self._queue(priority), [due[start : start + size] for start in range(0, len(due), size)])

    def _do(self, steps: list[str], *, bulk: bool) -> None:
        """What a message asks for: take as many steps as it names, do them, and send what has become ready so.

        Which steps is for the ledger to say, by whose turn it is at this moment and not when the message was sent.
        """
        here = self._opened(self._stopping)
        if here is None:
            return  # the steps are sent again when their time is over
        began, awake, names, count = time.monotonic(), False, list(self._registry), len(steps)
        while count > 0:
            some = count if here.usual < _SHORT_STEP else 1
            claims = here.take(names, (some, some if bulk else 0))
            if not claims:
                break
            count -= len(claims)
            awake = here.do(claims) or awake
            if count > 0 and (time.monotonic() - began > LONG_MESSAGE or here.stopping.is_set()):
                with contextlib.suppress(MunimentError):  # then they are sent again when their time is over
                    here.ledger.leases.unsend(steps)
                awake = True
                break
        if awake:
            self._send_on()

    def _send_on(self) -> None:
        with contextlib.suppress(MunimentError):  # then the dispatcher of this worker or another sends it
            self.dispatch()

    @staticmethod
    def _say_goodbye(here: WorkerProcess) -> None:
        try:
            here.ledger.leases.leave(here.owner)
        except MunimentError as error:
            logger.warning("%s", error)


class Consumer:
    """The part of Celery's worker that takes messages from the broker, and whether it still does.

    Over Redis, a message that cannot be acknowledged because the broker is away counts as under way for ever, and the
    worker, which takes only as many as it has processes, takes one less from then on. So it is made to connect anew.
    """

    def __init__(self, worker: object, queues: Sequence[str]) -> None:
        self._worker = worker
        self._queues = queues
        self._idle_since: float | None = None
        self._unanswered = False

    def hear(self, record: logging.LogRecord) -> bool:
        """Whether a line of Celery's log is worth writing: a broker that is away was told of once, in our own words.

        That a message could not be acknowledged is to be learned from the log alone.
        """
        said = str(record.msg) % record.args if record.args else str(record.msg)
        if said.startswith("Couldn't ack"):
            self._unanswered = True
            return False
        return not said.startswith(("consumer: Cannot connect", "consumer: Connection to broker lost"))

    def look_after(self, here: WorkerProcess, *, back: bool) -> None:
        """Connect anew when the broker is `back`, or has not heard something, or when messages wait and none is taken.

        Not before the broker answers: what is due once is then due again.
        """
        starves = self._starves(here)
        if not (back or self._unanswered or starves):
            return
        logger.info("the worker connects to the broker anew")
        self._idle_since, self._unanswered = None, False
        hub = getattr(getattr(self._worker, "consumer", None), "hub", None)
        if hub is not None:
            hub.call_soon(_break_off)

    def _starves(self, here: WorkerProcess) -> bool:
        if state.reserved_requests or not any(here.broker.waiting.get(queue) for queue in self._queues):
            self._idle_since = None
            return False
        self._idle_since = self._idle_since or time.monotonic()
        return time.monotonic() - self._idle_since > _STARVED


def _break_off() -> None:
    """In the consumer's own loop, which takes this for a lost connection and makes another.

    Raises:
        ConnectionResetError: Always.
    """
    raise ConnectionResetError("the connection to the broker is made anew")


def _confirm(broker: str) -> dict[str, object]:
    """RabbitMQ says of each message that it has it, when asked to."""
    return {"confirm_publish": True} if broker.startswith(("amqp", "pyamqp")) else {}
