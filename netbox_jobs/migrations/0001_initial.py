import django.core.serializers.json
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import netbox_jobs.models.fields
import netbox_jobs.models.indexes
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ('contenttypes', '0002_remove_content_type_name'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                (
                    'object_id',
                    netbox_jobs.models.fields.ObjectIdField(
                        blank=True, max_length=255, null=True, verbose_name='object'
                    ),
                ),
                ('object_db', models.CharField(blank=True, default='', editable=False, max_length=100)),
                (
                    'tenant',
                    models.CharField(
                        blank=True,
                        default='',
                        editable=False,
                        help_text='Whose the object is',
                        max_length=100,
                        verbose_name='tenant',
                    ),
                ),
                ('name', models.CharField(blank=True, max_length=200, verbose_name='name')),
                (
                    'runner',
                    models.CharField(
                        blank=True,
                        editable=False,
                        help_text='Dotted path of the code; its identity',
                        max_length=255,
                        verbose_name='runner',
                    ),
                ),
                (
                    'created',
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='created'),
                ),
                ('scheduled', models.DateTimeField(blank=True, null=True, verbose_name='scheduled')),
                (
                    'due',
                    models.BigIntegerField(
                        blank=True,
                        editable=False,
                        help_text='Milliseconds since the epoch; empty while it depends on others',
                        null=True,
                    ),
                ),
                (
                    'interval',
                    models.PositiveIntegerField(
                        blank=True,
                        help_text='Minutes between runs',
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name='interval',
                    ),
                ),
                ('started', models.DateTimeField(blank=True, null=True, verbose_name='started')),
                ('completed', models.DateTimeField(blank=True, null=True, verbose_name='completed')),
                (
                    'execution_time',
                    models.DurationField(blank=True, editable=False, null=True, verbose_name='execution time'),
                ),
                (
                    'status',
                    models.CharField(
                        choices=[
                            ('pending', 'Pending'),
                            ('scheduled', 'Scheduled'),
                            ('running', 'Running'),
                            ('completed', 'Completed'),
                            ('errored', 'Errored'),
                            ('failed', 'Failed'),
                            ('canceled', 'Canceled'),
                        ],
                        default='pending',
                        max_length=30,
                        verbose_name='status',
                    ),
                ),
                (
                    'data',
                    models.JSONField(
                        blank=True,
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                        null=True,
                        verbose_name='data',
                    ),
                ),
                ('error', models.TextField(blank=True, editable=False, verbose_name='error')),
                (
                    'fingerprint',
                    models.CharField(
                        blank=True,
                        default='',
                        editable=False,
                        help_text='What errors of one cause share',
                        max_length=16,
                    ),
                ),
                (
                    'ran_on',
                    models.CharField(
                        blank=True,
                        default='',
                        editable=False,
                        help_text='In which it errored or failed',
                        max_length=255,
                        verbose_name='worker',
                    ),
                ),
                ('job_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name='job ID')),
                ('queue_name', models.CharField(blank=True, max_length=100, verbose_name='queue')),
                (
                    'notifications',
                    models.CharField(
                        choices=[('always', 'Always'), ('on_failure', 'On failure'), ('never', 'Never')],
                        default='always',
                        max_length=30,
                        verbose_name='notifications',
                    ),
                ),
                (
                    'job_timeout',
                    models.IntegerField(
                        blank=True, help_text='Seconds; -1 for none', null=True, verbose_name='time limit'
                    ),
                ),
                (
                    'options',
                    models.JSONField(blank=True, default=dict, editable=False, help_text="RQ's options of the call"),
                ),
                (
                    'retry_policy',
                    models.JSONField(
                        blank=True, default=dict, editable=False, help_text='The retry options of the call'
                    ),
                ),
                (
                    'context',
                    models.JSONField(
                        blank=True,
                        default=dict,
                        editable=False,
                        help_text='What the call was made in',
                        verbose_name='context',
                    ),
                ),
                ('arguments', models.BinaryField(blank=True, default=b'')),
                ('arguments_format', models.CharField(blank=True, default='', editable=False, max_length=20)),
                ('arguments_signature', models.CharField(blank=True, default='', editable=False, max_length=64)),
                ('arguments_shown', models.TextField(blank=True, default='', editable=False, verbose_name='arguments')),
                ('slot', models.BigIntegerField(editable=False, null=True, unique=True)),
                ('limit', models.CharField(blank=True, default='', editable=False, max_length=255)),
                ('limit_most', models.PositiveIntegerField(editable=False, null=True)),
                ('rate', models.CharField(blank=True, default='', editable=False, max_length=255)),
                ('rate_most', models.PositiveIntegerField(editable=False, null=True)),
                ('rate_per', models.BigIntegerField(editable=False, null=True)),
                (
                    'priority',
                    models.SmallIntegerField(
                        default=5, editable=False, help_text='From 0 to 9; more is sooner', verbose_name='priority'
                    ),
                ),
                (
                    'fair_key',
                    models.CharField(
                        blank=True,
                        default='',
                        editable=False,
                        help_text='Whose turn it is when it begins',
                        max_length=64,
                    ),
                ),
                (
                    'held',
                    models.BooleanField(
                        default=False,
                        editable=False,
                        help_text='Whether a worker may not claim it, as it has no slot of its limits',
                    ),
                ),
                (
                    'slotted',
                    models.BooleanField(
                        default=False,
                        editable=False,
                        help_text='Whether it was given slots, which its end gives to others',
                    ),
                ),
                (
                    'awaited',
                    models.BooleanField(default=False, editable=False, help_text='Whether other jobs depend on it'),
                ),
                ('deliveries', models.PositiveIntegerField(default=0, editable=False)),
                ('attempt', models.PositiveIntegerField(default=0, editable=False, verbose_name='attempt')),
                ('releases', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('crashes', models.PositiveSmallIntegerField(default=0, editable=False, verbose_name='crashes')),
                ('retries', models.PositiveSmallIntegerField(default=0, editable=False, verbose_name='retries')),
                (
                    'stopping',
                    models.DateTimeField(
                        editable=False,
                        help_text='When a stop was requested while it ran',
                        null=True,
                        verbose_name='stopping',
                    ),
                ),
                (
                    'worker',
                    models.CharField(
                        editable=False, help_text='Token of the worker that runs it', max_length=32, null=True
                    ),
                ),
                ('backend_id', models.BigIntegerField(editable=False, help_text='Its database session', null=True)),
                (
                    'dependencies',
                    models.ManyToManyField(
                        blank=True, db_constraint=False, related_name='dependents', to='netbox_jobs.job'
                    ),
                ),
                (
                    'object_type',
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name='+',
                        to='contenttypes.contenttype',
                    ),
                ),
                (
                    'predecessor',
                    models.OneToOneField(
                        db_constraint=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name='successor',
                        to='netbox_jobs.job',
                    ),
                ),
                (
                    'retry_of',
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name='+',
                        to='netbox_jobs.job',
                    ),
                ),
                (
                    'user',
                    netbox_jobs.models.fields.UserKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=netbox_jobs.models.fields.forget_user,
                        related_name='+',
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                'verbose_name': 'job',
                'verbose_name_plural': 'jobs',
                'ordering': ('-created',),
                'permissions': (
                    ('cancel_job', 'Can cancel or stop jobs'),
                    ('retry_job', 'Can retry jobs'),
                    ('inspect_job', 'Can see the stack of running jobs'),
                    ('signal_job', 'Can send signals to jobs'),
                ),
            },
        ),
        migrations.CreateModel(
            name='LimitRow',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=255, verbose_name='name')),
                ('most', models.PositiveIntegerField(help_text='How many jobs may run at once', verbose_name='most')),
                ('per', models.BigIntegerField(null=True)),
                ('full_until', models.BigIntegerField(null=True)),
            ],
            options={
                'verbose_name': 'limit',
                'verbose_name_plural': 'limits',
            },
        ),
        migrations.CreateModel(
            name='PausedQueue',
            fields=[
                ('name', models.CharField(max_length=100, primary_key=True, serialize=False, verbose_name='queue')),
                ('since', models.DateTimeField(default=django.utils.timezone.now, verbose_name='since')),
            ],
            options={
                'verbose_name': 'paused queue',
                'verbose_name_plural': 'paused queues',
                'permissions': (('pause_queue', 'Can pause and resume queues'),),
            },
        ),
        migrations.CreateModel(
            name='PendingChange',
            fields=[
                ('job_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('key', models.CharField(blank=True, db_index=True, default='', max_length=64)),
                ('values', models.JSONField(default=dict)),
                ('created', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='QueueLimit',
            fields=[
                ('name', models.CharField(max_length=100, primary_key=True, serialize=False, verbose_name='queue')),
                (
                    'most',
                    models.PositiveIntegerField(
                        blank=True,
                        help_text='Empty: no limit, whatever the settings say',
                        null=True,
                        verbose_name='jobs at once',
                    ),
                ),
                (
                    'changed',
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='changed'),
                ),
            ],
            options={
                'verbose_name': 'limit of a queue',
                'verbose_name_plural': 'limits of queues',
            },
        ),
        migrations.CreateModel(
            name='RepairCount',
            fields=[
                (
                    'kind',
                    models.CharField(
                        choices=[
                            ('redelivery', 'a waiting job that Redis had lost was delivered again'),
                            ('orphan', 'a running job whose process was gone was ended or requeued'),
                            ('dead_worker', 'a worker without heartbeats was declared dead'),
                            ('dependent', 'a job was released whose dependencies had ended unnoticed'),
                            ('chain', 'a missing occurrence of a schedule was made'),
                        ],
                        max_length=30,
                        primary_key=True,
                        serialize=False,
                        verbose_name='kind',
                    ),
                ),
                ('number', models.PositiveBigIntegerField(default=0, verbose_name='number')),
                ('latest', models.DateTimeField(default=django.utils.timezone.now, verbose_name='latest')),
            ],
            options={
                'verbose_name': 'number of repairs',
                'verbose_name_plural': 'numbers of repairs',
            },
        ),
        migrations.CreateModel(
            name='Worker',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token', models.CharField(editable=False, max_length=32, unique=True)),
                ('name', models.CharField(max_length=255, verbose_name='name')),
                ('host', models.CharField(max_length=255, verbose_name='host')),
                ('pid', models.PositiveIntegerField(verbose_name='process')),
                ('queues', models.TextField(blank=True, default='', verbose_name='queues')),
                ('beats', models.PositiveBigIntegerField(default=0, verbose_name='beats')),
                ('started', models.DateTimeField(default=django.utils.timezone.now, verbose_name='started')),
                (
                    'version',
                    models.CharField(
                        blank=True,
                        default='',
                        help_text='Of netbox_jobs, Django, RQ and Python',
                        max_length=100,
                        verbose_name='version',
                    ),
                ),
                (
                    'leaving',
                    models.DateTimeField(
                        blank=True,
                        help_text='When it was told to finish its job and leave',
                        null=True,
                        verbose_name='leaving',
                    ),
                ),
            ],
            options={
                'verbose_name': 'worker',
                'verbose_name_plural': 'workers',
                'permissions': (('stop_worker', 'Can tell workers to finish and leave'),),
            },
        ),
        migrations.CreateModel(
            name='FairTurn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('queue', models.CharField(max_length=100)),
                ('key', models.CharField(blank=True, max_length=64)),
                ('served', models.BigIntegerField(default=0)),
            ],
            options={
                'verbose_name': 'turn of a key',
                'verbose_name_plural': 'turns of keys',
                'indexes': [models.Index(fields=['queue', 'served', 'id'], name='netbox_jobs_fair_served')],
                'constraints': [models.UniqueConstraint(fields=('queue', 'key'), name='netbox_jobs_fair_once')],
            },
        ),
        migrations.CreateModel(
            name='HourlyStatistics',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField(verbose_name='hour')),
                ('queue_name', models.CharField(max_length=100, verbose_name='queue')),
                ('runner', models.CharField(blank=True, max_length=255, verbose_name='runner')),
                ('count', models.PositiveBigIntegerField(verbose_name='jobs')),
                ('errored', models.PositiveBigIntegerField(default=0, verbose_name='errored')),
                ('failed', models.PositiveBigIntegerField(default=0, verbose_name='failed')),
                ('canceled', models.PositiveBigIntegerField(default=0, verbose_name='canceled')),
                ('waits', models.JSONField(default=dict, verbose_name='waits')),
                ('runs', models.JSONField(default=dict, verbose_name='runs')),
            ],
            options={
                'verbose_name': 'statistics of an hour',
                'verbose_name_plural': 'statistics by the hour',
                'constraints': [
                    models.UniqueConstraint(fields=('hour', 'queue_name', 'runner'), name='netbox_jobs_statistics_hour')
                ],
            },
        ),
        migrations.CreateModel(
            name='JobStack',
            fields=[
                (
                    'job',
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name='+',
                        serialize=False,
                        to='netbox_jobs.job',
                    ),
                ),
                ('attempt', models.PositiveIntegerField(default=1, verbose_name='attempt')),
                ('requested', models.DateTimeField(default=django.utils.timezone.now, verbose_name='requested')),
                ('taken', models.DateTimeField(blank=True, null=True, verbose_name='taken')),
                ('stack', models.TextField(blank=True, default='', verbose_name='stack')),
                ('samples', models.PositiveSmallIntegerField(default=0)),
                ('same', models.PositiveSmallIntegerField(default=0)),
                ('host', models.CharField(blank=True, default='', max_length=255, verbose_name='host')),
                ('pid', models.PositiveIntegerField(blank=True, null=True, verbose_name='process')),
                ('memory', models.BigIntegerField(blank=True, help_text='Bytes', null=True, verbose_name='memory')),
                (
                    'cpu',
                    models.FloatField(
                        blank=True, help_text='Of one core, while the samples were taken', null=True, verbose_name='CPU'
                    ),
                ),
            ],
            options={
                'verbose_name': 'stack',
                'verbose_name_plural': 'stacks',
            },
        ),
        migrations.CreateModel(
            name='Progress',
            fields=[
                (
                    'job',
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name='+',
                        serialize=False,
                        to='netbox_jobs.job',
                    ),
                ),
                ('attempt', models.PositiveIntegerField(default=1, verbose_name='attempt')),
                ('current', models.BigIntegerField(default=0, verbose_name='current')),
                ('total', models.BigIntegerField(blank=True, null=True, verbose_name='total')),
                ('message', models.CharField(blank=True, default='', max_length=255, verbose_name='message')),
                ('began_at', models.BigIntegerField(default=0)),
                ('began', models.DateTimeField(default=django.utils.timezone.now)),
                ('updated', models.DateTimeField(default=django.utils.timezone.now, verbose_name='updated')),
            ],
            options={
                'verbose_name': 'progress',
                'verbose_name_plural': 'progress',
            },
        ),
        migrations.CreateModel(
            name='JobSignal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64)),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('sent', models.DateTimeField(default=django.utils.timezone.now, verbose_name='sent')),
                ('payload', models.BinaryField(blank=True, default=b'')),
                ('payload_format', models.CharField(blank=True, default='', max_length=20)),
                ('payload_signature', models.CharField(blank=True, default='', max_length=64)),
                ('payload_shown', models.TextField(blank=True, default='', verbose_name='payload')),
                (
                    'job',
                    models.ForeignKey(
                        db_constraint=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name='+',
                        to='netbox_jobs.job',
                    ),
                ),
            ],
            options={
                'verbose_name': 'signal',
                'verbose_name_plural': 'signals',
                'ordering': ('pk',),
            },
        ),
        migrations.CreateModel(
            name='MutedError',
            fields=[
                (
                    'fingerprint',
                    models.CharField(max_length=16, primary_key=True, serialize=False, verbose_name='fingerprint'),
                ),
                ('since', models.DateTimeField(default=django.utils.timezone.now, verbose_name='since')),
                (
                    'user',
                    netbox_jobs.models.fields.UserKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=netbox_jobs.models.fields.forget_user,
                        related_name='+',
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                'verbose_name': 'muted error',
                'verbose_name_plural': 'muted errors',
            },
        ),
        migrations.CreateModel(
            name='Schedule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                (
                    'key',
                    models.CharField(
                        editable=False,
                        help_text='SHA-256 of the runner and the object; of the first job for a chain that enqueue() began',
                        max_length=64,
                        unique=True,
                        verbose_name='key',
                    ),
                ),
                ('runner', models.CharField(max_length=255, verbose_name='runner')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('object_id', netbox_jobs.models.fields.ObjectIdField(blank=True, max_length=255, null=True)),
                ('object_db', models.CharField(blank=True, default='', editable=False, max_length=100)),
                (
                    'tenant',
                    models.CharField(
                        blank=True,
                        default='',
                        editable=False,
                        help_text='Whose the object is',
                        max_length=100,
                        verbose_name='tenant',
                    ),
                ),
                (
                    'interval',
                    models.PositiveIntegerField(
                        blank=True, help_text='Minutes between runs', null=True, verbose_name='interval'
                    ),
                ),
                ('cron', models.CharField(blank=True, default='', max_length=200, verbose_name='cron')),
                ('time_zone', models.CharField(blank=True, default='', max_length=64, verbose_name='time zone')),
                (
                    'default_zone',
                    models.CharField(
                        blank=True,
                        default='',
                        editable=False,
                        help_text='TIME_ZONE when the next run was planned',
                        max_length=64,
                    ),
                ),
                ('queue_name', models.CharField(max_length=100, verbose_name='queue')),
                (
                    'notifications',
                    models.CharField(
                        choices=[('always', 'Always'), ('on_failure', 'On failure'), ('never', 'Never')],
                        default='always',
                        max_length=30,
                        verbose_name='notifications',
                    ),
                ),
                (
                    'job_timeout',
                    models.IntegerField(blank=True, help_text='Seconds', null=True, verbose_name='time limit'),
                ),
                ('paused', models.BooleanField(default=False, verbose_name='paused')),
                (
                    'suspended',
                    models.TextField(
                        blank=True,
                        default='',
                        help_text='Why the next occurrence was not made, if it was not',
                        verbose_name='suspended',
                    ),
                ),
                (
                    'runs',
                    models.PositiveIntegerField(
                        default=0, editable=False, help_text='How many have ended so far', verbose_name='runs'
                    ),
                ),
                (
                    'created',
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='created'),
                ),
                (
                    'object_type',
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name='+',
                        to='contenttypes.contenttype',
                    ),
                ),
                (
                    'user',
                    netbox_jobs.models.fields.UserKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=netbox_jobs.models.fields.forget_user,
                        related_name='+',
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                'verbose_name': 'schedule',
                'verbose_name_plural': 'schedules',
                'permissions': (('manage_schedule', 'Can change, pause, run and end schedules'),),
            },
        ),
        migrations.AddField(
            model_name='job',
            name='schedule',
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name='jobs',
                to='netbox_jobs.schedule',
            ),
        ),
        migrations.CreateModel(
            name='UniqueJob',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64, unique=True)),
                ('until', models.BigIntegerField(default=0)),
                (
                    'job',
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name='+',
                        to='netbox_jobs.job',
                    ),
                ),
            ],
            options={
                'verbose_name': 'unique job',
                'verbose_name_plural': 'unique jobs',
            },
        ),
        migrations.CreateModel(
            name='Workflow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                (
                    'status',
                    models.CharField(
                        choices=[
                            ('running', 'Running'),
                            ('completed', 'Completed'),
                            ('failed', 'Failed'),
                            ('canceled', 'Canceled'),
                        ],
                        default='running',
                        editable=False,
                        max_length=30,
                        verbose_name='status',
                    ),
                ),
                (
                    'created',
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='created'),
                ),
                ('completed', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='completed')),
                ('deadline', models.DateTimeField(blank=True, null=True, verbose_name='deadline')),
                ('ending', models.CharField(blank=True, default='', editable=False, max_length=30)),
                ('error', models.TextField(blank=True, default='', editable=False, verbose_name='error')),
                (
                    'user',
                    netbox_jobs.models.fields.UserKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=netbox_jobs.models.fields.forget_user,
                        related_name='+',
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                'verbose_name': 'workflow',
                'verbose_name_plural': 'workflows',
                'permissions': (('cancel_workflow', 'Can cancel workflows'), ('retry_workflow', 'Can retry workflows')),
            },
        ),
        migrations.AddField(
            model_name='job',
            name='workflow',
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name='+',
                to='netbox_jobs.workflow',
            ),
        ),
        migrations.CreateModel(
            name='WorkflowMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64)),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('role', models.CharField(blank=True, default='', max_length=20)),
                ('state', models.CharField(blank=True, default='', max_length=20)),
                ('gated', models.BooleanField(default=False)),
                (
                    'job',
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name='+',
                        to='netbox_jobs.job',
                    ),
                ),
                (
                    'workflow',
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name='members',
                        to='netbox_jobs.workflow',
                    ),
                ),
            ],
            options={
                'verbose_name': 'member of a workflow',
                'verbose_name_plural': 'members of workflows',
            },
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                (
                    'created',
                    models.DateTimeField(db_index=True, default=django.utils.timezone.now, verbose_name='time'),
                ),
                ('actor', models.CharField(help_text='Who it was, in words', max_length=200, verbose_name='by')),
                ('face', models.CharField(max_length=20, verbose_name='interface')),
                (
                    'action',
                    models.CharField(
                        choices=[
                            ('cancel', 'Cancel'),
                            ('stop', 'Stop'),
                            ('retry', 'Retry'),
                            ('delete', 'Delete'),
                            ('change', 'Change'),
                            ('pause', 'Pause'),
                            ('resume', 'Resume'),
                            ('run', 'Run now'),
                            ('end', 'End'),
                            ('leave', 'Finish and leave'),
                            ('mute', 'Mute'),
                            ('unmute', 'Unmute'),
                            ('release', 'Release'),
                        ],
                        max_length=20,
                        verbose_name='action',
                    ),
                ),
                (
                    'object_type',
                    models.CharField(
                        choices=[
                            ('job', 'Job'),
                            ('schedule', 'Schedule'),
                            ('workflow', 'Workflow'),
                            ('queue', 'Queue'),
                            ('worker', 'Worker'),
                            ('error', 'Error'),
                            ('release', 'Release'),
                        ],
                        max_length=20,
                        verbose_name='type',
                    ),
                ),
                (
                    'object_id',
                    models.CharField(
                        blank=True, help_text='Empty for several objects', max_length=100, verbose_name='object'
                    ),
                ),
                ('object_name', models.CharField(blank=True, max_length=200, verbose_name='name')),
                ('count', models.PositiveBigIntegerField(default=1, verbose_name='objects')),
                (
                    'details',
                    models.JSONField(
                        default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder, verbose_name='details'
                    ),
                ),
                (
                    'user',
                    netbox_jobs.models.fields.UserKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=netbox_jobs.models.fields.forget_user,
                        related_name='+',
                        to=settings.AUTH_USER_MODEL,
                        verbose_name='user',
                    ),
                ),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit entries',
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['object_type', 'object_id', 'id'], name='netbox_jobs_audit_object')],
            },
        ),
        migrations.CreateModel(
            name='JobAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(verbose_name='attempt')),
                ('started', models.DateTimeField(null=True, verbose_name='started')),
                ('ended', models.DateTimeField(default=django.utils.timezone.now, verbose_name='ended')),
                ('error', models.TextField(blank=True, default='', verbose_name='error')),
                ('crashed', models.BooleanField(default=False, verbose_name='crashed')),
                (
                    'job',
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name='attempts',
                        to='netbox_jobs.job',
                    ),
                ),
            ],
            options={
                'verbose_name': 'attempt',
                'verbose_name_plural': 'attempts',
                'ordering': ('number',),
                'constraints': [models.UniqueConstraint(fields=('job', 'number'), name='netbox_jobs_attempt_once')],
            },
        ),
        migrations.CreateModel(
            name='JobLogEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt', models.PositiveIntegerField(default=1, verbose_name='attempt')),
                ('timestamp', models.DateTimeField(default=django.utils.timezone.now, verbose_name='time')),
                ('level', models.CharField(max_length=20, verbose_name='level')),
                ('message', models.TextField(verbose_name='message')),
                (
                    'job',
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name='log_lines',
                        to='netbox_jobs.job',
                    ),
                ),
            ],
            options={
                'verbose_name': 'log line',
                'verbose_name_plural': 'log lines',
                'ordering': ('id',),
                'indexes': [models.Index(fields=['job', 'id'], name='netbox_jobs_log_job')],
            },
        ),
        migrations.CreateModel(
            name='JobStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64)),
                (
                    'kind',
                    models.CharField(
                        choices=[('step', 'step'), ('sleep', 'sleep'), ('wait', 'wait for the signal')],
                        default='step',
                        max_length=10,
                        verbose_name='kind',
                    ),
                ),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('version', models.CharField(blank=True, default='', max_length=50, verbose_name='version')),
                ('attempt', models.PositiveIntegerField(default=1, verbose_name='attempt')),
                ('started', models.DateTimeField(verbose_name='started')),
                ('completed', models.DateTimeField(blank=True, null=True, verbose_name='completed')),
                ('until', models.BigIntegerField(null=True)),
                ('deliveries', models.PositiveIntegerField(null=True)),
                ('result', models.BinaryField(blank=True, default=b'')),
                ('result_format', models.CharField(blank=True, default='', max_length=20)),
                ('result_signature', models.CharField(blank=True, default='', max_length=64)),
                ('result_shown', models.TextField(blank=True, default='', verbose_name='result')),
                (
                    'job',
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name='steps',
                        to='netbox_jobs.job',
                    ),
                ),
            ],
            options={
                'verbose_name': 'step',
                'verbose_name_plural': 'steps',
                'ordering': ('pk',),
                'constraints': [models.UniqueConstraint(fields=('job', 'key'), name='netbox_jobs_step_once')],
            },
        ),
        migrations.CreateModel(
            name='LimitSlot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('limit', models.CharField(max_length=64)),
                ('queue', models.CharField(blank=True, default='', max_length=100)),
                ('key', models.CharField(blank=True, default='', max_length=64)),
                ('since', models.BigIntegerField(null=True)),
                (
                    'job',
                    models.ForeignKey(
                        db_constraint=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name='+',
                        to='netbox_jobs.job',
                    ),
                ),
            ],
            options={
                'verbose_name': 'slot of a limit',
                'verbose_name_plural': 'slots of limits',
                'indexes': [
                    models.Index(fields=['limit', 'queue', 'since', 'id'], name='netbox_jobs_limit_line'),
                    models.Index(fields=['limit', 'queue', 'key', 'since', 'id'], name='netbox_jobs_limit_key'),
                ],
                'constraints': [models.UniqueConstraint(fields=('job', 'limit'), name='netbox_jobs_limit_once')],
            },
        ),
        migrations.CreateModel(
            name='RateStart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('limit', models.CharField(max_length=64)),
                ('until', models.BigIntegerField(null=True)),
                (
                    'job',
                    models.ForeignKey(
                        db_constraint=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name='+',
                        to='netbox_jobs.job',
                    ),
                ),
            ],
            options={
                'verbose_name': 'start that counts to a rate',
                'verbose_name_plural': 'starts that count to a rate',
                'indexes': [models.Index(fields=['limit', 'until'], name='netbox_jobs_rate_until')],
            },
        ),
        migrations.AddIndex(
            model_name='schedule',
            index=models.Index(fields=['object_type', 'object_id'], name='netbox_jobs_schedule_object'),
        ),
        migrations.AddIndex(
            model_name='workflow',
            index=models.Index(fields=['status', 'completed'], name='netbox_jobs_workflow_status'),
        ),
        migrations.AddIndex(
            model_name='workflow',
            index=models.Index(fields=['-created'], name='netbox_jobs_workflow_created'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['-created'], name='netbox_jobs_job_created'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['completed'], name='netbox_jobs_job_completed'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=netbox_jobs.models.indexes.PartialIndex(
                fields=['fingerprint', 'completed'],
                name='netbox_jobs_job_error',
                where=models.Q(('fingerprint__gt', '')),
            ),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['queue_name', 'status', 'due'], name='netbox_jobs_job_queue'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=netbox_jobs.models.indexes.PartialIndex(
                fields=['schedule', 'id'], name='netbox_jobs_job_schedule', where=models.Q(('schedule__isnull', False))
            ),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['status', 'due'], name='netbox_jobs_job_status_due'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=netbox_jobs.models.indexes.PartialIndex(
                fields=['object_type', 'object_id', 'created'],
                name='netbox_jobs_job_object',
                where=models.Q(('object_type__isnull', False)),
            ),
        ),
        migrations.AddIndex(
            model_name='job',
            index=netbox_jobs.models.indexes.PartialIndex(
                fields=['retry_of'], name='netbox_jobs_job_retry_of', where=models.Q(('retry_of__isnull', False))
            ),
        ),
        migrations.AddIndex(
            model_name='job',
            index=netbox_jobs.models.indexes.PartialIndex(
                fields=['user'], name='netbox_jobs_job_user', where=models.Q(('user__isnull', False))
            ),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['runner', 'status'], name='netbox_jobs_job_runner'),
        ),
        migrations.AddIndex(
            model_name='workflowmember',
            index=models.Index(fields=['state', 'workflow', 'role'], name='netbox_jobs_member_state'),
        ),
        migrations.AddConstraint(
            model_name='workflowmember',
            constraint=models.UniqueConstraint(fields=('workflow', 'key'), name='netbox_jobs_member_name'),
        ),
        migrations.AddConstraint(
            model_name='workflowmember',
            constraint=models.UniqueConstraint(fields=('job',), name='netbox_jobs_member_once'),
        ),
    ]
