"""From input to rows: a service's refusals name every field that is wrong."""

from collections.abc import Sequence
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.command import sqlstate
from core.errors import Conflict, Invalid

M = TypeVar("M", bound=models.Model)

UNIQUE_VIOLATION = "23505"


def valid(row: M) -> M:
    """The unsaved row, its fields checked; foreign keys are the caller's to check.

    Raises Invalid `<model>.invalid` with the messages by field as `fields`.
    """
    relations = {field.name for field in row._meta.concrete_fields if field.is_relation}
    problems = {
        field.name: [str(_("This text holds a character that can't be stored."))]
        for field in row._meta.concrete_fields
        if "\0" in str(getattr(row, field.attname))
    }
    try:
        row.clean_fields(exclude=relations)
    except ValidationError as error:
        problems |= error.message_dict
    if problems:
        raise Invalid(
            f"{row._meta.model_name}.invalid", _("Some of this is not right."), fields=problems
        )
    return row


def insert(rows: Sequence[M], *, code: str, taken: str | Promise) -> None:
    """Writes new rows of one model. Raises Conflict `code` where a unique constraint refuses."""
    if not rows:
        return
    try:
        with transaction.atomic():
            type(rows[0])._default_manager.bulk_create(rows)
    except IntegrityError as error:
        if sqlstate(error) != UNIQUE_VIOLATION:
            raise
        raise Conflict(code, taken) from error
