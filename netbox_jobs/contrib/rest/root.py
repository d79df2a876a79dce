"""The start of the API: its addresses."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .base import JobsAPI, address
from .schema import described

_ADDRESSES = {
    'jobs': 'jobs-list',
    'runners': 'runners',
    'schedules': 'schedules-list',
    'queues': 'queues-list',
    'workflows': 'workflows-list',
    'workers': 'workers-list',
    'schema': 'schema',
}


class RootSerializer(serializers.Serializer[Any]):
    """Where the parts of the API are."""

    jobs = serializers.CharField()
    runners = serializers.CharField()
    schedules = serializers.CharField()
    queues = serializers.CharField()
    workflows = serializers.CharField()
    workers = serializers.CharField()
    schema = serializers.CharField()


class RootView(JobsAPI, APIView):
    """The addresses of the API."""

    noun = 'root'
    operation = 'root'

    @described(response=RootSerializer())
    def get(self, request: Request) -> Response:
        """List the addresses of the API."""
        return Response({name: address(request, of) for name, of in _ADDRESSES.items()})
