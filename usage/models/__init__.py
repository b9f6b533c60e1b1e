from usage.models.event import QUANTITY, DirtyHour, UpdateBehavior, UsageEvent
from usage.models.meter import Aggregation, Meter
from usage.models.slice import Slice

__all__ = ["QUANTITY", "Aggregation", "DirtyHour", "Meter", "Slice", "UpdateBehavior", "UsageEvent"]
