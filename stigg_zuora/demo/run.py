"""The demo from its first process to its last word."""

import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

import redis
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from integrations import api_keys
from integrations.connecting import connect
from integrations.models import Connection, Scope
from integrations.zuora.doctor import drained
from stigg_zuora.celery import app
from stigg_zuora.demo import database, tenant, usage
from stigg_zuora.demo.examination import calls_to, examine, wait_until_settled
from stigg_zuora.demo.processes import Processes
from stigg_zuora.demo.surroundings import ADMINISTRATOR, HOST, Surroundings, redis_executable

PYTHON = sys.executable


def run(processes: Processes, surroundings: Surroundings, *, once: bool) -> int:
    """Start everything in order; then serve until stopped, or examine the far side and return 0 or 1."""
    began = time.monotonic()
    reader = _in_background("stigg_zuora.demo.readback") if once else None
    _start_servers(processes, surroundings)
    processes.say("demo", "Bringing the database up to date ...")
    call_command("migrate", verbosity=0)
    database.administrator(name=ADMINISTRATOR, password=surroundings.password)
    _start_program(processes, surroundings)
    if not database.is_loaded():
        processes.say("demo", "Loading the demo's catalog, customers and subscriptions through the API ...")
        processes.until("the web server", _answers(f"{surroundings.address}/readyz"))
        _load(surroundings)
    if not usage.is_reported():
        usage.report(now=timezone.now())
    # The worker listens before the first job is rung for.
    processes.until("the worker", lambda: bool(app.control.broadcast("ping", reply=True, timeout=1, limit=1)))
    calls_before = calls_to(surroundings.zuora_address)
    if not Connection.objects.exists():
        processes.say("demo", f"Connecting to the stand-in at {surroundings.zuora_address} ...")
        _connect(surroundings)
    processes.until("the web server", _answers(f"{surroundings.address}/readyz"))
    if reader:
        return examine(processes, surroundings, read=reader().read, calls_before=calls_before, began=began)
    processes.say(
        "demo",
        f"\n  Ready after {time.monotonic() - began:.1f} s. Open {surroundings.address}\n"
        f"  user {ADMINISTRATOR}, password {surroundings.password}\n"
        f"  The local Zuora is at {surroundings.zuora_address},\n"
        f"  client ID {tenant.CLIENT_ID}, client secret {tenant.CLIENT_SECRET}\n"
        "  manage.py for it, in another window: .venv/bin/python -m stigg_zuora.demo COMMAND\n"
        f"  Ctrl-C ends everything; the data stays in {surroundings.directory}\n ",
    )
    if not wait_until_settled(processes):
        usage.push(processes)
    processes.wait()
    return 0


def _in_background(module: str) -> Callable[[], ModuleType]:
    """Import a module while other things go on, and return what waits for it: Zuora's client takes three seconds."""
    thread = threading.Thread(target=import_module, args=(module,), daemon=True)
    thread.start()

    def imported() -> ModuleType:
        thread.join()
        return import_module(module)

    return imported


def _start_servers(processes: Processes, surroundings: Surroundings) -> None:
    socket = surroundings.redis_socket
    place = ["--port", 0, "--unixsocket", socket, "--unixsocketperm", 700, "--dir", surroundings.directory]
    keeps_nothing = ["--save", "", "--appendonly", "no"]  # the rows are the truth, the messages only wake somebody
    processes.start("redis", [redis_executable(), *place, *keeps_nothing, "--loglevel", "warning"])
    standin = ["manage.py", "zuora_standin", "--host", HOST, "--port", surroundings.zuora_port]
    client = ["--client-id", tenant.CLIENT_ID, "--client-secret", tenant.CLIENT_SECRET]
    processes.start("zuora", [PYTHON, *standin, *client, "--data", surroundings.directory / "zuora.journal"])
    processes.until("Redis", _redis_answers)
    processes.until("the stand-in", _answers(f"{surroundings.zuora_address}/standin/counts"))


def _start_program(processes: Processes, surroundings: Surroundings) -> None:
    """Start what needs the tables: not before the migrations are through."""
    celery = [PYTHON, "-m", "celery", "--quiet", "-A", "stigg_zuora"]
    queues = "click,usage,changes,backfill"
    lonely = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    processes.start("worker", [*celery, "worker", "-P", "threads", "-c", 8, "-Q", queues, *lonely])
    processes.start("beat", [*celery, "beat", "-s", surroundings.directory / "beat", "--pidfile="])
    granian = [PYTHON, "-m", "granian", "--interface", "wsgi", "--blocking-threads", 4, "--no-ws"]
    patience = ["--workers-kill-timeout", 5]
    where = ["--host", HOST, "--port", surroundings.port]
    processes.start("web", [*granian, *where, *patience, "stigg_zuora.wsgi:application"])


def _load(surroundings: Surroundings) -> None:
    """Load the data with a key that is good for nothing afterwards; Stigg's client is imported only where it loads."""
    before = tenant.Tenant(surroundings.zuora_address)
    tenant.legacy(before, today=timezone.now().date())
    key, token = api_keys.create(name="The demo's data", scope=Scope.WRITE, actor=None, now=timezone.now())
    client = import_module("stigg").Stigg(api_key=token, base_url=surroundings.address)
    load = import_module("stigg_zuora.demo.load").load
    load(client, payment_methods=tenant.payment_methods(before), now=timezone.now())
    api_keys.revoke(key=key, actor=None, now=timezone.now())


def _connect(surroundings: Surroundings) -> None:
    drained(
        connect(
            tenant_url=surroundings.zuora_address,
            client_id=tenant.CLIENT_ID,
            client_secret=tenant.CLIENT_SECRET,
            sync_customers=True,
            sync_subscriptions=True,
            actor=None,
            now=timezone.now(),
        )
    )


def _redis_answers() -> bool:
    try:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _answers(address: str) -> Callable[[], bool]:
    def ask() -> bool:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - our own address
                return bool(answer.status == 200)  # noqa: PLR2004 - OK
        except (urllib.error.URLError, OSError):
            return False

    return ask
