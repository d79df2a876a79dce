"""Email at the end of a job: `NETBOX_JOBS = {'NOTIFY': 'netbox_jobs.contrib.email.notify'}`."""

from typing import TYPE_CHECKING

from django.core.mail import send_mail
from django.utils.translation import gettext as _

from ..core import errors, formatting

if TYPE_CHECKING:
    from netbox_jobs.models import Job


def notify(job: 'Job') -> None:
    """Send an email about the end of a job to its user, if the user has an address; from `DEFAULT_FROM_EMAIL`."""
    address = getattr(job.user, 'email', '')
    if not address:
        return
    status = formatting.status(job.status)
    values = {'number': job.pk, 'name': formatting.clean(job.name), 'status': status.lower()}
    lines = [_('Job %(number)s "%(name)s" ended as %(status)s.') % values]
    if job.object is not None:
        lines.append(_('Object: %(object)s') % {'object': formatting.clean(job.object)})
    if job.execution_time is not None:
        lines.append(_('Run time: %(time)s') % {'time': formatting.duration(job.execution_time)})
    if job.error:
        lines += ['', errors.in_words(job.error)]
    subject = ' '.join(f'{formatting.clean(job.name)}: {status}'.split())
    send_mail(subject, '\n'.join(lines) + '\n', None, [address])
