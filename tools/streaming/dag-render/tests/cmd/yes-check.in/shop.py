"""The pipeline shop, for Airflow 3.

Rendered by dag-render: change the document, not this file. What the document says stands in
these variables alone; below them all DAGs are the same.
"""

NAME = "shop"
STATE = "/var/lib/bareplane/shop"
SCHEDULE = {
    "cron": None,
    "timezone": "UTC",
    "start": "2026-01-01",
    "catchup": False,
    "max_active": 1,
    "retries": 3,
    "delay_s": 30,
    "backoff": 2,
    "timeout_s": 1200,
}
STEPS = [
    {
        "id": "check.topics",
        "programs": [["kafka-topics", "check", "--pipeline", "/etc/bareplane/shop.yaml"]],
        "state": None,
        "ours": True,
        "after": [],
    },
    {
        "id": "a-orders",
        "programs": [
            ["db-extract", "--pipeline", "/etc/bareplane/shop.yaml", "--step", "a-orders", "--state", "/var/lib/bareplane/shop/a-orders.state.next"],
            ["record-clean", "--pipeline", "/etc/bareplane/shop.yaml", "--step", "a-orders", "--reject", "/var/lib/bareplane/shop/a-orders.rejected"],
            ["kafka-relay", "--raw", "--pipeline", "/etc/bareplane/shop.yaml", "--step", "a-orders", "--eos", "--txn-id", "shop.a-orders"],
        ],
        "state": "/var/lib/bareplane/shop/a-orders.state",
        "ours": True,
        "after": ["check.topics"],
    },
    {
        "id": "a-visits",
        "programs": [
            ["db-extract", "--pipeline", "/etc/bareplane/shop.yaml", "--step", "a-visits"],
            ["kafka-relay", "--raw", "--pipeline", "/etc/bareplane/shop.yaml", "--step", "a-visits", "--eos", "--txn-id", "shop.a-visits"],
        ],
        "state": None,
        "ours": True,
        "after": ["check.topics"],
    },
    {
        "id": "minutes",
        "programs": [
            ["stream-agg", "--pipeline", "/etc/bareplane/shop.yaml", "--step", "minutes", "--kafka", "--until", "end", "--txn-id", "shop.minutes"],
        ],
        "state": None,
        "ours": True,
        "after": ["a-orders"],
    },
    {
        "id": "hours",
        "programs": [["sh", "/etc/bareplane/spark/shop.hours.sh", "--once"]],
        "state": None,
        "ours": False,
        "after": ["a-orders", "a-visits"],
    },
]

import ctypes
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

# What a try again does not change: no, invalid, and a program that cannot be run.
FINAL = (1, 2, 126, 127)
PATIENCE_S = 10


def with_its_parent():
    """A worker that is killed takes its programs with it."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def end(children):
    """Programs finish or undo the step in hand, or are killed."""
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def run_programs(programs, lock):
    """Runs programs, each reading what the one before it prints; how they ended."""
    children, reads = [], subprocess.DEVNULL
    try:
        for number, words in enumerate(programs, 1):
            writes = None if number == len(programs) else subprocess.PIPE
            child = subprocess.Popen(words, stdin=reads, stdout=writes, pass_fds=[lock], preexec_fn=with_its_parent)
            children.append(child)
            if reads is not subprocess.DEVNULL:
                reads.close()
            reads = child.stdout
        return [child.wait() for child in children]
    except BaseException:
        end(children)
        raise


def begin(state):
    """What a source gives is taken only when all programs have done their part: they work on a copy of its state."""
    try:
        shutil.copyfile(state, f"{state}.next")
    except FileNotFoundError:
        pathlib.Path(f"{state}.next").unlink(missing_ok=True)


def judge(step, statuses):
    """Which answers are tried again: 3, signals, and whatever programs say that are not ours."""
    said = ", ".join(f"{words[0]} answered {status}" for words, status in zip(step["programs"], statuses) if status)
    if step["ours"] and any(status in FINAL for status in statuses):
        raise AirflowFailException(f"{said}: trying again would change nothing")
    if said:
        raise AirflowException(said)


# Airflow renders what tasks are given as templates: they are given a number.
@task
def run(number):
    step = STEPS[number]
    os.makedirs(STATE, exist_ok=True)
    lock = os.open(os.path.join(STATE, f"{step['id']}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # The programs hold it too: one that outlives its worker is not started a second time beside itself.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if step["state"]:
            begin(step["state"])
        judge(step, run_programs(step["programs"], lock))
        if step["state"]:
            os.replace(f"{step['state']}.next", step["state"])
    except BlockingIOError:
        raise AirflowException(f"{step['id']} of another run is still at work") from None
    except (FileNotFoundError, PermissionError) as error:
        raise AirflowFailException(str(error)) from None
    finally:
        os.close(lock)


with DAG(
    dag_id=NAME,
    schedule=SCHEDULE["cron"],
    start_date=datetime.fromisoformat(SCHEDULE["start"]).replace(tzinfo=ZoneInfo(SCHEDULE["timezone"])),
    catchup=SCHEDULE["catchup"],
    max_active_runs=SCHEDULE["max_active"],
    default_args={
        "retries": SCHEDULE["retries"],
        "retry_delay": timedelta(seconds=SCHEDULE["delay_s"]),
        "retry_exponential_backoff": SCHEDULE["backoff"],
        "execution_timeout": timedelta(seconds=SCHEDULE["timeout_s"]),
    },
    tags=["bareplane"],
):
    tasks = {step["id"]: run.override(task_id=step["id"])(number) for number, step in enumerate(STEPS)}
    for step in STEPS:
        for before in step["after"]:
            tasks[before] >> tasks[step["id"]]
