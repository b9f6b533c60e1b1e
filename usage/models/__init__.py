from usage.models.counted import CountedRun, CountedValue, CountedWindow
from usage.models.event import DirtyHour, UpdateBehavior, UsageEvent, quantity_field
from usage.models.meter import Aggregation, CountedMeter, Meter
from usage.models.slice import Slice, UnattributedUsage

__all__ = [
    "Aggregation",
    "CountedMeter",
    "CountedRun",
    "CountedValue",
    "CountedWindow",
    "DirtyHour",
    "Meter",
    "Slice",
    "UnattributedUsage",
    "UpdateBehavior",
    "UsageEvent",
    "quantity_field",
]
