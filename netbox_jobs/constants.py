"""The names of the three queues that are always there."""

__all__ = ('RQ_QUEUE_DEFAULT', 'RQ_QUEUE_HIGH', 'RQ_QUEUE_LOW')

RQ_QUEUE_HIGH = 'high'
RQ_QUEUE_DEFAULT = 'default'
RQ_QUEUE_LOW = 'low'
