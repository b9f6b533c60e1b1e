"""Usage on its way to Zuora, exactly once: plan (slices to records), form (records to calls), send, confirm."""

from integrations.zuora.push.usage.batches import claim, due, form, release_stuck
from integrations.zuora.push.usage.charges import read_missing_numbers
from integrations.zuora.push.usage.confirming import confirm
from integrations.zuora.push.usage.flushing import end_charges, flush, keep_charges
from integrations.zuora.push.usage.planning import plan
from integrations.zuora.push.usage.sending import send

__all__ = [
    "claim",
    "confirm",
    "due",
    "end_charges",
    "flush",
    "form",
    "keep_charges",
    "plan",
    "read_missing_numbers",
    "release_stuck",
    "send",
]
