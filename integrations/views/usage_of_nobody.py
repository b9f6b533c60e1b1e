"""Usage that is billed to nobody: of which customers, of what and when, and what to do."""

from collections.abc import Iterable, Iterator

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone

from customers.models import Customer
from integrations.usage_nobodys import HEADER_ALONE, WHAT_TO_DO, cells_alone
from integrations.views.access import viewers
from integrations.views.answers import page_or_part
from integrations.views.exports import as_csv
from integrations.views.overview import active_connection
from integrations.views.paging import edges_of, page_of
from usage.unattributed import Unattributed, by_month, customers_told, to_tell

#: So many customers, each with all of its features and months.
PAGE_SIZE = 25
_EXPORTED_AT_ONCE = 500
#: More than so many customers are not counted one by one.
_COUNTED = 1000


@viewers
def usage_of_nobody(request: HttpRequest) -> HttpResponse:
    customers, customer = _asked_for(request)
    page = page_of(customers, key="ref_id", **edges_of(request), size=PAGE_SIZE)
    context = {
        "page": "usage",
        "connection": active_connection(),
        "customer": customer,
        "slice": page,
        "lines": list(_lines(page.rows)),
        "customers": customers_told().order_by()[: _COUNTED + 1].count(),
        "counted": _COUNTED,
        "what_to_do": WHAT_TO_DO,
    }
    return page_or_part(
        request,
        page="integrations/usage_of_nobody.html",
        part="integrations/usage_of_nobody_rows.html",
        context=context,
    )


@viewers
def usage_of_nobody_export(request: HttpRequest) -> HttpResponseBase:
    """Send all that the filter finds."""
    customers, _ = _asked_for(request)
    name = f"usage-billed-to-nobody-{timezone.now():%Y-%m-%d}.csv"
    return as_csv(map(cells_alone, _all_lines(customers)), name=name, header=HEADER_ALONE)


def _asked_for(request: HttpRequest) -> tuple[QuerySet[Customer], str]:
    """Return the customers that the address asks for, and the reference id by which it does."""
    ref_id = request.GET.get("customer", "").strip().replace("\0", "")
    return (customers_told().filter(ref_id=ref_id) if ref_id else customers_told()), ref_id


def _lines(customers: Iterable[Customer]) -> Iterator[Unattributed]:
    ids = [one.pk for one in customers]
    return by_month(to_tell().filter(customer__in=ids))


def _all_lines(customers: QuerySet[Customer]) -> Iterator[Unattributed]:
    """Yield them by short queries: nothing is held open while somebody downloads."""
    after = ""
    while True:
        page = page_of(customers, key="ref_id", after=after, size=_EXPORTED_AT_ONCE)
        yield from list(_lines(page.rows))
        after = page.after
        if not after:
            return
