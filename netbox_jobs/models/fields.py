"""The relations of jobs: to the objects that they are about, with primary keys of any type, and to their users.

A project's router may keep jobs in one database and what they are about in another, so none of these is a constraint
of the database; what deletion means for them is done here.

`object_id` is text. Django compares it with the other model's primary key column as it is, which PostgreSQL
refuses (bigint = varchar) and which misses UUIDs where those are stored without hyphens. So every comparison with
a column casts that column to the one canonical text first, and the index on `object_id` keeps serving.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.fields import (
    GenericForeignKey,
    GenericRelation,
    ReverseGenericManyToOneDescriptor,
    create_generic_related_manager,
)
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ObjectDoesNotExist
from django.db import DEFAULT_DB_ALIAS, models, router, transaction
from django.db.models.expressions import Col
from django.db.models.fields.related_descriptors import ForwardManyToOneDescriptor
from django.db.models.functions import Cast, Concat, Substr
from django.db.models.lookups import Exact, In
from django.db.models.signals import post_delete
from django.db.models.sql import Query
from django.db.models.sql.where import AND, WhereNode
from django.utils.functional import cached_property

from ..core import charset, contexts
from ..core.home import key_of
from .cascades import jobs_of, object_types_of
from .loose import NoneIfGone
from .text import IdentityField

# Of an object: Django's collector has been given the jobs that are deleted with it.
_COLLECTED = '_netbox_jobs_collected'


class AsText(models.Func):
    """A primary key column as `str()` would show its value."""

    output_field = models.CharField(max_length=255)

    def __init__(self, expression: Any, **extra: Any) -> None:
        super().__init__(expression, **extra)

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **context: Any) -> Any:
        column = self.source_expressions[0]
        field = column.output_field
        if isinstance(field, models.UUIDField) and not connection.features.has_native_uuid_field:
            parts: list[Any] = []
            for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12)):
                parts += [models.Value('-')] if parts else []
                parts.append(Substr(Cast(column, models.CharField(max_length=32)), start, length))
            text: Any = Concat(*parts, output_field=self.output_field)
        else:
            text = Cast(column, self.output_field)
        return compiler.compile(text.resolve_expression(compiler.query, allow_joins=True, summarize=False))


class ObjectIdField(IdentityField):
    """A primary key of any type, as text."""

    kind = charset.OBJECT_KEYS

    def db_type(self, connection: Any) -> str | None:
        kind = super().db_type(connection)
        # MariaDB's default collation would take the keys 'a' and 'A' for the same.
        return f'{kind} COLLATE utf8mb4_bin' if connection.vendor == 'mysql' else kind

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(str(value) if value is not None and not hasattr(value, 'as_sql') else value)


@ObjectIdField.register_lookup
class _ExactObject(Exact):
    def get_prep_lookup(self) -> Any:
        if isinstance(self.rhs, Col) or type(self.rhs).__name__ == 'ResolvedOuterRef':
            return self.rhs
        return super().get_prep_lookup()

    def process_rhs(self, compiler: Any, connection: Any) -> Any:
        if _needs_cast(self.rhs):
            return compiler.compile(AsText(self.rhs))
        return super().process_rhs(compiler, connection)


@ObjectIdField.register_lookup
class _InObjects(In):
    def get_prep_lookup(self) -> Any:
        prepared = super().get_prep_lookup()
        if isinstance(prepared, Query):
            # `object_id__in=things.values('pk')`: the subquery has the keys in their own type.
            prepared.select = tuple(AsText(column) if _needs_cast(column) else column for column in prepared.select)
        return prepared


def _needs_cast(column: Any) -> bool:
    return isinstance(column, Col) and not isinstance(column.output_field, models.CharField)


class InstanceKey(GenericForeignKey):
    """`job.object`: a generic foreign key to an object that may live in another database; None for other tenants."""

    if TYPE_CHECKING:
        # Of a type that only the caller knows.
        def __get__(self, instance: Any, cls: Any = None) -> Any: ...

    def _fetch(self, job: Any) -> Any:
        try:
            return job.object_type.model_class()._base_manager.using(job.object_db).get(pk=job.object_id)
        except ObjectDoesNotExist:
            return None

    def contribute_to_class(self, cls: Any, name: str, **kwargs: Any) -> None:  # type: ignore[override]
        super().contribute_to_class(cls, name, **kwargs)
        setattr(cls, name, _InstanceDescriptor(self, cls.__dict__[name]))


class _InstanceDescriptor:
    """Looks into the other database where the row names one, and leaves the rest to Django's own descriptor."""

    def __init__(self, field: InstanceKey, inner: Any) -> None:
        self.field, self.inner = field, inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __get__(self, job: Any, owner: Any = None) -> Any:
        if job is None:
            return self.inner.__get__(None, owner)
        if job.tenant and job.tenant != contexts.current_tenant():
            return None  # there may be another object with its key here
        if not job.object_db or job.object_type_id is None:
            return self.inner.__get__(job, owner)
        # Django's own descriptor would compare content types of two databases, where their numbers may differ.
        found = self.field.get_cached_value(job, default=None)
        if found is None or key_of(found) != job.object_id:
            found = self.field._fetch(job)
            self.field.set_cached_value(job, found)
        return found

    def __set__(self, job: Any, value: Any) -> None:
        self.inner.__set__(job, value)
        if value is not None:
            job.object_id = key_of(value)


class _InstanceJobs(ReverseGenericManyToOneDescriptor):
    """`obj.jobs`, with the content type and the jobs of the database that keeps jobs, wherever the object is."""

    @cached_property
    def related_manager_cls(self) -> Any:
        base: Any = create_generic_related_manager(self.rel.model._default_manager.__class__, self.rel)

        class InstanceJobsManager(base):
            def __init__(self, instance: Any = None) -> None:
                super().__init__(instance)
                self._db = router.db_for_read(self.model)
                self.get_content_type = partial(
                    ContentType.objects.db_manager(router.db_for_write(self.model)).get_for_model,
                    for_concrete_model=False,
                )
                self.content_type = self.get_content_type(instance)
                self.core_filters[f'{self.content_type_field_name}__pk'] = self.content_type.pk
                self.core_filters[self.object_id_field_name] = self.pk_val = key_of(instance)
                self.core_filters |= contexts.tenant_filter()

            def create(self, **kwargs: Any) -> Any:
                return super().create(**{**contexts.tenant_filter(), **kwargs})

            create.alters_data = True  # type: ignore[attr-defined]

            def get_prefetch_querysets(self, instances: Any, querysets: Any = None) -> Any:
                if filters := contexts.tenant_filter():
                    found = querysets[0] if querysets else self.model._default_manager.using(self._db)
                    querysets = [found.filter(**filters)]
                return super().get_prefetch_querysets(instances, querysets)

        return InstanceJobsManager


class InstanceRelation(GenericRelation):
    """`obj.jobs`, and filters across it, for models with any primary key."""

    def contribute_to_class(self, cls: Any, name: str, **kwargs: Any) -> None:  # type: ignore[override]
        super().contribute_to_class(cls, name, **kwargs)
        if not cls._meta.abstract:
            relation: Any = self.remote_field
            setattr(cls, name, _InstanceJobs(relation))
            post_delete.connect(_forget_instance, sender=cls, dispatch_uid='netbox_jobs.instance')

    def bulk_related_objects(self, objs: Any, using: str = DEFAULT_DB_ALIAS) -> Any:
        """The jobs that Django deletes with these objects; in another database, `_forget_instance` does it."""
        home = router.db_for_write(self.remote_field.model)
        if using != home:
            return self.remote_field.model._base_manager.db_manager(home).none()
        for instance in objs:
            vars(instance)[_COLLECTED] = True
        keys, object_types = [key_of(instance) for instance in objs], object_types_of(self.model, using)
        return jobs_of(self.remote_field.model, keys, object_types, using).filter(**contexts.tenant_filter())

    def get_joining_fields(self, reverse_join: bool = False) -> Any:
        return ()

    def get_reverse_joining_fields(self) -> Any:
        return ()

    def get_extra_restriction(self, alias: Any, remote_alias: Any) -> Any:
        where = super().get_extra_restriction(alias, remote_alias)
        for name, value in contexts.tenant_filter().items():
            field: Any = self.remote_field.model._meta.get_field(name)
            where.add(Exact(field.get_col(remote_alias), value), AND)
        if alias is None:  # inside an EXISTS(), where the comparison is made outside
            return where
        object_id: Any = self.remote_field.model._meta.get_field(self.object_id_field_name)
        same: Any = _ExactObject(object_id.get_col(remote_alias), Col(alias, self.model._meta.pk))
        return WhereNode([where, same], connector=AND)


@InstanceRelation.register_lookup
class _ExactJob(Exact):
    """`filter(jobs=job)`: Django would convert the job's key as if it were one of the objects'."""

    def __init__(self, lhs: Any, rhs: Any) -> None:
        super().__init__(lhs.target.get_col(lhs.alias), getattr(rhs, 'pk', rhs))


@InstanceRelation.register_lookup
class _InJobs(In):
    """`filter(jobs__in=jobs)`: likewise."""

    def __init__(self, lhs: Any, rhs: Any) -> None:
        keys = [getattr(job, 'pk', job) for job in rhs] if isinstance(rhs, list | tuple | set | frozenset) else rhs
        super().__init__(lhs.target.get_col(lhs.alias), keys)


def _forget_instance(instance: models.Model, using: str, **kwargs: Any) -> None:
    """What is left of a deleted object: its schedules, and the jobs that were not deleted with it.

    Those in another database are deleted once its deletion is certain. (Two databases have no common transaction: a
    process that dies in between leaves them, and each ends as errored, since its object is gone.)
    """
    job_model, schedule_model = apps.get_model('netbox_jobs.Job'), apps.get_model('netbox_jobs.Schedule')
    home = router.db_for_write(job_model)
    about: dict[str, Any] = {
        'object_type__in': object_types_of(type(instance), home),
        'object_id': key_of(instance),
        'object_db': '' if using == home else using,
        **contexts.tenant_filter(),
    }

    def forget() -> None:
        with transaction.atomic(using=home):
            # Of an object that goes with one of a model which extends its own, Django collects nothing that is related.
            if not vars(instance).pop(_COLLECTED, False):
                job_model.objects.using(home).filter(**about).delete()
            schedule_model._base_manager.using(home).filter(**about).delete()

    if using == home:
        forget()
        return
    transaction.on_commit(forget, using=using, robust=True)


def forget_user(collector: Any, field: Any, sub_objs: Any, using: str) -> None:
    """When a user is deleted: what refers to it stays, without it; in whichever database it is."""
    home = router.db_for_write(field.model)
    if using == home:
        models.SET_NULL(collector, field, sub_objs, using)
    else:
        sub_objs.using(home).update(**{field.name: None})


forget_user.lazy_sub_objs = True  # type: ignore[attr-defined]  # Django must not look for them in the user's database


class _UserDescriptor(NoneIfGone, ForwardManyToOneDescriptor):
    """Reads the user from the database that keeps users; None if it is gone."""

    def get_queryset(self, **hints: Any) -> Any:
        model: Any = self.field.remote_field.model
        return model._base_manager.using(router.db_for_read(model))


class UserKey(models.ForeignKey):
    """A user of the project, or none."""

    forward_related_accessor_class = _UserDescriptor

    def __init__(self, verbose_name: Any = None, **kwargs: Any) -> None:
        fixed = {'to': settings.AUTH_USER_MODEL, 'on_delete': forget_user, 'related_name': '+'}
        kwargs = {**fixed, 'blank': True, 'null': True, 'db_constraint': False, **kwargs}
        super().__init__(verbose_name=verbose_name, **kwargs)
