"""Schedules in the admin: their list, the page of each, and the actions on them."""

from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..core import actors, formatting
from ..models import Job, Schedule
from ..monitoring import related
from ..monitoring.schedules import ScheduleState, schedule_states
from . import markup
from .base import notices
from .calendar import CalendarPage
from .schedule_list import PausedFilter, QueueNameFilter, ScheduleChangeList

#: The actions on a schedule, with the messages that follow them.
ACTIONS = {
    'pause': gettext_lazy('The schedule "%(name)s" is paused. No further occurrences start.'),
    'resume': gettext_lazy('The schedule "%(name)s" is resumed.'),
    'run': gettext_lazy('The next occurrence of the schedule "%(name)s" starts now.'),
    'end': gettext_lazy('The schedule "%(name)s" has ended.'),
}


class RecurrenceForm(forms.Form):
    """How a schedule recurs: at an interval, or by a cron expression."""

    interval = forms.IntegerField(
        label=gettext_lazy('Interval'), required=False, min_value=1, help_text=gettext_lazy('Minutes between runs')
    )
    cron = forms.CharField(
        label=gettext_lazy('Or cron'),
        required=False,
        max_length=200,
        help_text=gettext_lazy('Such as 0 3 * * 1-5: minute, hour, day of the month, month, day of the week'),
    )
    time_zone = forms.CharField(
        label=gettext_lazy('Time zone'),
        required=False,
        max_length=64,
        help_text=gettext_lazy('For cron, such as Europe/Berlin; empty for that of the project'),
    )

    def clean_time_zone(self) -> str:
        zone = str(self.cleaned_data['time_zone']).strip()
        if zone and zone not in available_timezones():
            raise forms.ValidationError(
                _('There is no time zone %(zone)r; enter a name such as Europe/Berlin.') % {'zone': zone}
            )
        return zone


@admin.register(Schedule)
class ScheduleAdmin(CalendarPage):
    """The schedules."""

    list_display: Any = (
        'name_column',
        'object_column',
        'recurs_column',
        'queue_name',
        'state_column',
        'last_column',
        'next_column',
    )
    list_display_links = None
    list_filter = (('paused', PausedFilter), ('queue_name', QueueNameFilter))
    list_per_page = 50
    list_max_show_all = 50
    ordering = ('name', 'pk')
    sortable_by = ('name_column', 'queue_name')
    search_fields = ('name', 'runner')
    empty_text = gettext_lazy(
        'There are no schedules. A job that is enqueued with an interval or a cron expression makes one.'
    )
    search_placeholder = gettext_lazy('Name or runner')
    show_facets = admin.ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ScheduleChangeList]:
        """The list of `schedule_list`."""
        return ScheduleChangeList

    def get_urls(self) -> list[Any]:
        """The addresses of the actions, before Django's own."""
        own = [
            path(
                f'<int:object_id>/{action}/',
                self.page(partial(self.action_view, action=action)),
                name=f'netbox_jobs_schedule_{action}',
            )
            for action in ACTIONS
        ]
        return [*self.calendar_urls(), *own, *super().get_urls()]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Users who may manage schedules may see them, too."""
        user: Any = request.user
        return super().has_view_permission(request, obj) or user.has_perm('netbox_jobs.manage_schedule')

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A schedule is not deleted but ended, which also deletes its waiting job."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list."""
        return super().changelist_view(request, {'title': _('Schedules'), **notices(), **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = '',
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of a schedule, with a form for users who may manage schedules."""
        schedule: Schedule = self.find(request, object_id)
        manages = self._manages(request)
        initial = {'interval': schedule.interval, 'cron': schedule.cron, 'time_zone': schedule.time_zone}
        form = RecurrenceForm(request.POST if request.method == 'POST' else None, initial=initial, auto_id='id_%s')
        preview: list[datetime] = []
        if request.method == 'POST':
            if not manages:
                raise PermissionDenied
            if form.is_valid():
                if 'preview' in request.POST:
                    preview = self._preview(schedule, form)
                elif self._change(request, schedule, form):
                    return HttpResponseRedirect(self.url('schedule_change', schedule.pk))
        states = schedule_states(Schedule.objects.filter(pk=schedule.pk))
        jobs = list(related.defer_large_fields(schedule.latest_jobs)[:20])
        related.attach(jobs)
        related.attach_objects([schedule])
        related.attach_users([schedule])
        return self.render(
            request,
            'admin/netbox_jobs/schedule/page.html',
            formatting.cut(schedule, 200),
            schedule=schedule,
            object_link=markup.object_link(self.admin_site, request, schedule),
            recurs=_recurrence(schedule),
            state=states[0] if states else ScheduleState(schedule),
            jobs=jobs if self._sees_jobs(request) else [],
            form=form if manages else None,
            preview=preview,
            audit_entries=self.audit_entries(request, schedule),
        )

    def _preview(self, schedule: Schedule, form: RecurrenceForm) -> list[datetime]:
        """Return when the next occurrences would be due: the change is made, and rolled back."""
        using, found = schedule._state.db, []
        with transaction.atomic(using=using):
            if self._apply(schedule, form):
                found = schedule_states(Schedule.objects.filter(pk=schedule.pk))[0].upcoming
            transaction.set_rollback(True, using=using)
        schedule.refresh_from_db()
        return found

    def _apply(self, schedule: Schedule, form: RecurrenceForm) -> bool:
        given = form.cleaned_data
        try:
            schedule.change(interval=given['interval'], cron=given['cron'] or None, timezone=given['time_zone'] or None)
        except ValueError as error:
            form.add_error(None, formatting.first_line(error, 300))
            return False
        return True

    def _change(self, request: HttpRequest, schedule: Schedule, form: RecurrenceForm) -> bool:
        user: Any = request.user
        with actors.acting(user, face=actors.ADMIN):
            if not self._apply(schedule, form):
                return False
        self.log_change(request, schedule, [{'changed': {'fields': ['interval', 'cron', 'time_zone']}}])
        text = _('The schedule "%(name)s" now recurs: %(when)s.')
        when = _recurrence(schedule)
        self.notify(request, text % {'name': formatting.cut(schedule, 100), 'when': when})
        return True

    def action_view(self, request: HttpRequest, object_id: str, action: str) -> HttpResponse:
        """Pause, resume, run now or end a schedule; GET asks before it is ended."""
        schedule: Schedule = self.find(request, str(object_id))
        if not self._manages(request):
            raise PermissionDenied
        page = self.url('schedule_change', schedule.pk)
        name = {'name': formatting.cut(schedule, 100)}
        if request.method in ('GET', 'HEAD') and action == 'end':
            template = 'admin/netbox_jobs/schedule/confirm_end.html'
            return self.render(
                request, template, _('End the schedule "%(name)s"?') % name, schedule=schedule, back=page
            )
        if request.method != 'POST':
            return HttpResponseNotAllowed(['POST'])
        self.log_change(request, schedule, [{'changed': {'name': action, 'object': str(schedule.pk)}}])
        perform = {'pause': schedule.pause, 'resume': schedule.resume, 'run': schedule.run_now, 'end': schedule.end}
        result = perform[action]()
        if action == 'run' and result is None:
            text = _('No occurrence of the schedule "%(name)s" waits: one is running, or the schedule is suspended.')
            self.notify(request, text % name, messages.WARNING)
        else:
            self.notify(request, str(ACTIONS[action]) % name)
        return self.back(request, self.url('schedule_changelist') if action == 'end' else page)

    def _manages(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.has_perm('netbox_jobs.manage_schedule'))

    def _sees_jobs(self, request: HttpRequest) -> bool:
        jobs = self.admin_site._registry.get(Job)
        return jobs is not None and jobs.has_view_permission(request)

    # Columns

    @admin.display(description=gettext_lazy('schedule'), ordering='name')
    def name_column(self, schedule: Schedule) -> SafeString:
        """The name, linked, and the runner."""
        runner = formatting.class_name(schedule.runner)
        return format_html(
            '<a class="nj-name" href="{}"><bdi>{}</bdi></a> <span class="nj-quiet" title="{}">{}</span>',
            self.url('schedule_change', schedule.pk),
            formatting.cut(schedule.name, 100) or runner,
            formatting.clean(schedule.runner),
            runner,
        )

    @admin.display(description=gettext_lazy('object'), empty_value=markup.NONE)
    def object_column(self, schedule: Any) -> Any:
        """The object that the schedule is about."""
        return schedule.object_link or None

    @admin.display(description=gettext_lazy('recurs'))
    def recurs_column(self, schedule: Schedule) -> str:
        """How the schedule recurs."""
        return _recurrence(schedule)

    @admin.display(description=gettext_lazy('state'))
    def state_column(self, schedule: Any) -> SafeString:
        """The state of the schedule."""
        return markup.schedule_state(schedule.schedule_state)

    @admin.display(description=gettext_lazy('last run'), empty_value=markup.NONE)
    def last_column(self, schedule: Any) -> Any:
        """How and when the last occurrence ended."""
        job = schedule.schedule_state.last
        return format_html('{} {}', markup.status(job.status), markup.moment(job.completed)) if job else None

    @admin.display(description=gettext_lazy('next run'), empty_value=markup.NONE)
    def next_column(self, schedule: Any) -> Any:
        """When the next occurrence is due."""
        return markup.moment(schedule.schedule_state.next_run) or None


def _recurrence(schedule: Schedule) -> str:
    return formatting.recurrence(schedule.interval, schedule.cron, schedule.time_zone)
