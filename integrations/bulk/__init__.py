"""The kinds of long work in the background: a line each. How one is written stands in `integrations.operations`."""

from integrations.bulk import applying, backfill, mending, previews, reconciling, retrying
from integrations.operations import Kind
from integrations.stigg import importing

_ALL = (applying.KIND, backfill.KIND, importing.KIND, mending.KIND, previews.KIND, reconciling.KIND, retrying.KIND)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
