"""A bulk action that can run in the background, and a page with a table of jobs."""

from core.models import Job
from core.tables import JobTable
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View
from netbox.context import current_request
from utilities.jobs import is_background_request, process_request_as_job

from .models import Device


@method_decorator(csrf_exempt, name='dispatch')
class RenameDevices(View):
    def post(self, request):
        if request.POST.get('background_job') and (
            job := process_request_as_job(self.__class__, request, name='Rename devices')
        ):
            return HttpResponse(str(job.pk), status=202)
        devices = Device.objects.filter(pk__in=request.POST.getlist('pk'))
        for device in devices:
            device.name = f'{request.POST["prefix"]}{device.name}'
            device.save()
            if is_background_request(request):
                request.job.logger.info(f'Renamed {device} for {current_request.get().user}')
        if is_background_request(request) and not devices:
            request.job.job.error = 'No devices'
        return HttpResponse(f'{len(devices)} renamed')


class DeviceJobs(View):
    def get(self, request, pk):
        device = Device.objects.get(pk=pk)
        table = JobTable(Job.objects.filter(pk__in=device.jobs.all()), orderable=False, user=request.user)
        table.configure(request)
        return HttpResponse(table.as_html(request))
