from usage.models.counted import CountedRun, CountedValue, CountedWindow
from usage.models.event import DirtyHour, UpdateBehavior, UsageEvent, quantity_field
from usage.models.meter import Aggregation, Counting, Meter, MeterVersion
from usage.models.slice import Slice, UnattributedUsage

__all__ = [
    "Aggregation",
    "CountedRun",
    "CountedValue",
    "CountedWindow",
    "Counting",
    "DirtyHour",
    "Meter",
    "MeterVersion",
    "Slice",
    "UnattributedUsage",
    "UpdateBehavior",
    "UsageEvent",
    "quantity_field",
]
