"""Mail at the end of a job: `NETBOX_JOBS = {'NOTIFY': 'netbox_jobs.contrib.email.notify'}`."""

from typing import TYPE_CHECKING

from django.core.mail import send_mail

if TYPE_CHECKING:
    from netbox_jobs.models import Job


def notify(job: 'Job') -> None:
    """Mail the job's user how it ended, over Django's mail and from `DEFAULT_FROM_EMAIL`; nobody without an address."""
    address = getattr(job.user, 'email', '')
    if not address:
        return
    lines = [f'{job.name} ended as {job.get_status_display().lower()}.']
    if job.object is not None:
        lines.append(f'It was about {job.object}.')
    if job.duration:
        lines.append(f'It took {job.duration}.')
    if job.error:
        lines += ['', job.error]
    subject = ' '.join(f'{job.name}: {job.get_status_display()}'.split())
    send_mail(subject, '\n'.join(lines) + '\n', None, [address])
