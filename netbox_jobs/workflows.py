"""Workflows: jobs in an order, side by side, or in a batch, with one state."""

from .execution.workflows import abatch, batch, chain, group
from .models import Workflow, WorkflowMember
from .models.workflows import WorkflowCounts

__all__ = ('Workflow', 'WorkflowCounts', 'WorkflowMember', 'abatch', 'batch', 'chain', 'group')
