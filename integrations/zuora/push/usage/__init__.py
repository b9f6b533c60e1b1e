"""Usage on its way to Zuora, exactly once: plan (slices to records), form (records to calls), send, confirm."""

from integrations.zuora.push.usage.batches import claim, due, form, has_due, must_plan, release_stuck
from integrations.zuora.push.usage.charges import read_missing_numbers
from integrations.zuora.push.usage.confirming import confirm
from integrations.zuora.push.usage.files import MOST_ROWS, form_files
from integrations.zuora.push.usage.flushing import end_charges, flush, keep_charges
from integrations.zuora.push.usage.planning import plan
from integrations.zuora.push.usage.road import FileRoad, Road, road_of
from integrations.zuora.push.usage.sending import send
from integrations.zuora.push.usage.settling import in_parts

__all__ = [
    "MOST_ROWS",
    "FileRoad",
    "Road",
    "claim",
    "confirm",
    "due",
    "end_charges",
    "flush",
    "form",
    "form_files",
    "has_due",
    "in_parts",
    "keep_charges",
    "must_plan",
    "plan",
    "read_missing_numbers",
    "release_stuck",
    "road_of",
    "send",
]
