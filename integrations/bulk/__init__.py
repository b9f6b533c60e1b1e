"""The kinds of long work in the background: a line each. How one is written stands in `integrations.operations`."""

from integrations.bulk import backfill, reconciling, retrying
from integrations.operations import Kind
from integrations.stigg import importing

KINDS: dict[str, Kind] = {kind.name: kind for kind in (backfill.KIND, retrying.KIND, reconciling.KIND, importing.KIND)}
