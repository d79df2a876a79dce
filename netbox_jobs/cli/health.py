"""The commands about the installation: `health` for containers, `doctor` for people."""

import socket
import time
from argparse import Namespace

from ..models import Worker, database
from ..monitoring import doctor, pulse
from ..monitoring import health as checks
from ..monitoring.queues import served_by
from .exits import FAILURE, SUCCESS
from .screen import Screen


def health(screen: Screen, options: Namespace) -> int:
    """`jobs health`."""
    found = checks.look()
    if checks.ready(found) and (options.worker or options.queue):
        found.append(_workers(options.worker, options.queue or []))
    if options.json:
        screen.json([{'name': check.name, 'ok': check.ok, 'text': check.text} for check in found])
    else:
        for check in found:
            detail = f' {check.detail}' if check.detail else ''
            screen.line(f'{check.name}: {"ok" if check.ok else check.text + detail}')
    needed = [check.ok for check in found if check.required or options.redis]
    return SUCCESS if all(needed) else FAILURE


def _workers(here: bool, queues: list[str]) -> checks.Check:
    """Look whether a worker lives: of this host, or for each of these queues."""
    rows = Worker.objects.using(database()).exclude(queues='')
    workers = list(rows.filter(host=socket.gethostname()[:255]) if here else rows)
    wanted = [worker for worker in workers if not queues or set(queues) & set(served_by(worker))]
    moving = pulse.live_workers(wanted, sleep=time.sleep, any_one=not queues)
    served = {name for worker in wanted if worker.token in moving for name in served_by(worker)}
    where = f' on the host {socket.gethostname()}' if here else ''
    if not moving:
        return checks.Check('worker', False, f'No worker{where} gave a heartbeat within {pulse.WATCHED:.0f} seconds.')
    if missing := [name for name in queues if name not in served]:
        return checks.Check('worker', False, f'No live worker{where} serves {", ".join(missing)}.')
    return checks.Check('worker', True)


def diagnose(screen: Screen, options: Namespace) -> int:
    """`jobs doctor`."""
    if not options.json:
        screen.notice('Examining settings, servers, workers, queues and schedules…')
    found = sorted(doctor.examine(time.sleep), key=lambda each: _ORDER.index(each.level))
    if options.json:
        screen.json(
            [{'code': each.code, 'level': each.level, 'text': each.text, 'advice': each.advice} for each in found]
        )
    else:
        for each in found:
            screen.line(f'{each.level.upper()} {each.code}: {each.text}', _STYLES[each.level])
            screen.line(f'  {each.advice}')
        if not found:
            screen.line('No problems were found.')
    return FAILURE if any(each.level != doctor.INFO for each in found) else SUCCESS


_ORDER = (doctor.ERROR, doctor.WARNING, doctor.INFO)
_STYLES = {doctor.ERROR: 'errored', doctor.WARNING: 'warning', doctor.INFO: 'dim'}
