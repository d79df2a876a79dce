"""A runner that shows in whose schema it runs."""

import time

from django.db import connection

from netbox_jobs.jobs import JobRunner
from tests.app.models import Thing


class Stamping(JobRunner):
    """Writes the name of the schema that it reads from to its object, and to every object that it is given."""

    class Meta:
        name = 'Stamping'
        on_crash = 'retry'

    def run(self, things=(), fails=0, sleeps=''):
        with connection.cursor() as cursor:
            cursor.execute('SELECT current_schema()')
            schema = cursor.fetchone()[0]
            for thing in (self.job.object, *things):
                if thing is not None:
                    thing.name = f'{thing.name} {schema}'
                    thing.save()
            self.job.data = [schema, connection.schema_name, Thing.objects.count() if schema != 'public' else None]
            if self.job.attempt <= fails:
                raise ConnectionError(schema)
            if sleeps and self.job.attempt == 1:
                self.job.save()
                time.sleep(60)
