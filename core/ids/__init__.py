"""Ids and order numbers: one import path for what stands in the files beside this one.

`snowflake` is the layout of an id and its generator, `lease` the process's right to issue,
`uuids` the ids of events, `order_number` what people read. See `docs/adr/0003`.
"""

from core.ids.lease import (
    Issuer,
    Lease,
    LeaseLost,
    NoLeaseFree,
    new_id,
    release,
)
from core.ids.order_number import (
    Channel,
    id_from_number,
    normalise,
    number_for,
    number_of_order,
)
from core.ids.snowflake import (
    AheadOfClock,
    ClockWentBack,
    Generator,
    IdParts,
    IdsUnavailable,
    decode,
    gene,
    gene_of,
)
from core.ids.uuids import uuid7

__all__ = [
    "AheadOfClock",
    "Channel",
    "ClockWentBack",
    "Generator",
    "IdParts",
    "IdsUnavailable",
    "Issuer",
    "Lease",
    "LeaseLost",
    "NoLeaseFree",
    "decode",
    "gene",
    "gene_of",
    "id_from_number",
    "new_id",
    "normalise",
    "number_for",
    "number_of_order",
    "release",
    "uuid7",
]
