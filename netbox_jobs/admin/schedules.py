"""Schedules in the admin: what recurs, when next, and what people do to it."""

from functools import partial
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Job, Schedule
from ..monitoring import overview
from . import marks, rows, shown
from .base import PagesAdmin, silent_queues
from .schedule_list import ScheduleChangeList

#: What can be done to a schedule, with what is said afterwards.
VERBS = {
    'pause': gettext_lazy('%(name)s is paused: no more occurrences begin.'),
    'resume': gettext_lazy('%(name)s goes on.'),
    'run': gettext_lazy('%(name)s is to run now.'),
    'end': gettext_lazy('%(name)s has ended.'),
}


class RecurrenceForm(forms.Form):
    """When a schedule recurs: every so many minutes, or by a cron expression."""

    interval = forms.IntegerField(
        label=gettext_lazy('Every'), required=False, min_value=1, help_text=gettext_lazy('Minutes; or')
    )
    cron = forms.CharField(
        label=gettext_lazy('Cron'),
        required=False,
        max_length=200,
        help_text=gettext_lazy('Minute, hour, day of the month, month, day of the week'),
    )
    time_zone = forms.CharField(
        label=gettext_lazy('Time zone'),
        required=False,
        max_length=64,
        help_text=gettext_lazy("Of the cron expression; the project's if empty"),
    )

    def clean_time_zone(self) -> str:
        zone = str(self.cleaned_data['time_zone']).strip()
        if zone and zone not in available_timezones():
            raise forms.ValidationError(_('Expected a name such as Europe/Berlin.'))
        return zone


@admin.register(Schedule)
class ScheduleAdmin(PagesAdmin):
    """What recurs."""

    list_display: Any = (
        'name_shown',
        'about_shown',
        'recurs_shown',
        'queue_name',
        'state_shown',
        'last_shown',
        'next_shown',
    )
    list_display_links = None
    list_filter = ('paused', 'queue_name')
    list_per_page = 50
    list_max_show_all = 50
    ordering = ('name', 'pk')
    sortable_by = ('name_shown', 'queue_name')
    search_fields = ('name', 'runner')
    show_facets = admin.ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ScheduleChangeList]:
        """Our own list."""
        return ScheduleChangeList

    def get_urls(self) -> list[Any]:
        """What can be done to a schedule, and then Django's addresses."""
        own = [
            path(
                f'<int:object_id>/{verb}/',
                self.page(partial(self.steer_view, verb=verb)),
                name=f'netbox_jobs_schedule_{verb}',
            )
            for verb in VERBS
        ]
        return own + super().get_urls()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever manages schedules sees them too."""
        user: Any = request.user
        return super().has_view_permission(request, obj) or user.has_perm('netbox_jobs.manage_schedule')

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A schedule is ended, which takes its waiting job along."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list."""
        return super().changelist_view(
            request, {'title': _('Schedules'), 'silent_queues': silent_queues(), **(extra_context or {})}
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = '',
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of a schedule; with a form for when it recurs, for those who may manage it."""
        schedule: Schedule = self.find(request, object_id)
        manages = self._manages(request)
        initial = {'interval': schedule.interval, 'cron': schedule.cron, 'time_zone': schedule.time_zone}
        form = RecurrenceForm(request.POST if request.method == 'POST' else None, initial=initial, auto_id='id_%s')
        if request.method == 'POST':
            if not manages:
                raise PermissionDenied
            if form.is_valid() and self._change(request, schedule, form):
                return HttpResponseRedirect(self.url('schedule_change', schedule.pk))
        states = overview.schedule_states(Schedule.objects.filter(pk=schedule.pk))
        jobs = list(rows.light(Job.objects.filter(schedule=schedule)).order_by('-pk')[:20])
        rows.dress(jobs)
        rows.dress_with_objects([schedule])
        rows.dress_with_users([schedule])
        return self.render(
            request,
            'admin/netbox_jobs/schedule/page.html',
            shown.cut(schedule, 200),
            schedule=schedule,
            about=marks.about(self.admin_site, request, schedule),
            recurs=shown.recurrence(schedule.interval, schedule.cron, schedule.time_zone),
            state=states[0] if states else overview.ScheduleState(schedule),
            jobs=jobs if self._sees_jobs(request) else [],
            form=form if manages else None,
        )

    def _change(self, request: HttpRequest, schedule: Schedule, form: RecurrenceForm) -> bool:
        given = form.cleaned_data
        try:
            schedule.change(interval=given['interval'], cron=given['cron'] or None, timezone=given['time_zone'] or None)
        except ValueError as error:
            form.add_error(None, shown.first_line(error, 300))
            return False
        self.log_change(request, schedule, [{'changed': {'fields': ['interval', 'cron', 'time_zone']}}])
        text = _('%(name)s recurs %(when)s from now on.')
        when = shown.recurrence(schedule.interval, schedule.cron, schedule.time_zone)
        self.say(request, text % {'name': shown.cut(schedule, 100), 'when': when})
        return True

    def steer_view(self, request: HttpRequest, object_id: int, verb: str) -> HttpResponse:
        """Pause, resume, run now or end a schedule; to end it, GET asks first."""
        schedule: Schedule = self.find(request, str(object_id))
        if not self._manages(request):
            raise PermissionDenied
        page = self.url('schedule_change', schedule.pk)
        if request.method in ('GET', 'HEAD') and verb == 'end':
            title = _('End %(name)s: are you sure?') % {'name': shown.cut(schedule, 100)}
            template = 'admin/netbox_jobs/schedule/confirm_end.html'
            return self.render(request, template, title, schedule=schedule, back=page)
        if request.method != 'POST':
            return HttpResponseNotAllowed(['POST'])
        name = {'name': shown.cut(schedule, 100)}
        self.log_change(request, schedule, [{'changed': {'name': verb, 'object': str(schedule.pk)}}])
        result = {'pause': schedule.pause, 'resume': schedule.resume, 'run': schedule.run_now, 'end': schedule.end}[
            verb
        ]()
        if verb == 'run' and result is None:
            self.say(request, _('%(name)s runs already, or no occurrence waits.') % name, messages.WARNING)
        else:
            self.say(request, str(VERBS[verb]) % name)
        return self.back(request, self.url('schedule_changelist') if verb == 'end' else page)

    def _manages(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.has_perm('netbox_jobs.manage_schedule'))

    def _sees_jobs(self, request: HttpRequest) -> bool:
        jobs = self.admin_site._registry.get(Job)
        return jobs is not None and jobs.has_view_permission(request)

    # Columns

    @admin.display(description=gettext_lazy('schedule'), ordering='name')
    def name_shown(self, schedule: Schedule) -> SafeString:
        """Its name, linked, and its runner."""
        runner = shown.class_name(shown.clean(schedule.runner))
        return format_html(
            '<a class="nj-name" href="{}"><bdi>{}</bdi></a> <span class="nj-quiet" title="{}">{}</span>',
            self.url('schedule_change', schedule.pk),
            shown.cut(schedule.name, 100) or runner,
            shown.clean(schedule.runner),
            runner,
        )

    @admin.display(description=gettext_lazy('object'), empty_value=marks.NONE)
    def about_shown(self, schedule: Any) -> Any:
        """What it is about."""
        return schedule.shown_about or None

    @admin.display(description=gettext_lazy('recurs'))
    def recurs_shown(self, schedule: Schedule) -> str:
        """How often."""
        return shown.recurrence(schedule.interval, schedule.cron, schedule.time_zone)

    @admin.display(description=gettext_lazy('state'))
    def state_shown(self, schedule: Any) -> SafeString:
        """Whether it goes on."""
        return marks.schedule_state(schedule.shown_state)

    @admin.display(description=gettext_lazy('last run'), empty_value=marks.NONE)
    def last_shown(self, schedule: Any) -> Any:
        """When and how the last occurrence ended."""
        job = schedule.shown_state.last
        return format_html('{} {}', marks.status(job.status), marks.time(job.completed)) if job else None

    @admin.display(description=gettext_lazy('next run'), empty_value=marks.NONE)
    def next_shown(self, schedule: Any) -> Any:
        """When the next is due."""
        job = schedule.shown_state.next
        return marks.time(job.scheduled or job.created) if job and not schedule.paused else None
