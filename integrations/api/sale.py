"""How a plan or an add-on comes on sale and leaves it: the same for both, each at its own address."""

from http import HTTPStatus
from typing import Any, Protocol

from catalog import publishing
from catalog.models import Addon, Plan
from integrations.api.charges import ChargeOut, ChargeQuery
from integrations.api.finding import find
from integrations.api.operation import Call, Operation, operation
from integrations.api.packages import Published, PublishIn, Removed, charges_page
from integrations.api.schema import Data, Page


class Tell(Protocol):
    """Writes a package; `drafted`: its draft, in place of what is on sale."""

    def __call__(self, package: Any, /, *, drafted: bool = False) -> Any: ...


def sale_operations(
    kind: type[Plan] | type[Addon], *, one: str, tag: str, tell: Tell, answers: Any
) -> tuple[Operation, ...]:
    """Make the operations for packages of a kind; `one` is its word in their addresses: `plan`, `addon`."""
    path = f"/api/v1/{one}s/{{{one}_id}}"

    def found(captured: dict[str, str]) -> Any:
        return find(kind._default_manager.all(), captured[f"{one}_id"])  # noqa: SLF001 - Django's public name for it

    def create_draft(_call: Call, **captured: str) -> Any:
        """Begin a draft with the charges on sale."""
        package = found(captured)
        publishing.start_draft(package=package)
        return tell(package, drafted=True)

    def remove_draft(_call: Call, **captured: str) -> Data[Removed]:
        """Forget the draft; one that was never on sale goes with it."""
        publishing.remove_draft(package=found(captured))
        return Data(data=Removed(id=captured[f"{one}_id"]))

    def list_charges(_call: Call, *, query: ChargeQuery, **captured: str) -> Page[ChargeOut]:
        """List what it costs."""
        return charges_page(found(captured), query=query)

    def publish(_call: Call, *, body: PublishIn, **captured: str) -> Data[Published]:  # noqa: ARG001 - the same for all
        """Put the draft on sale.

        Running subscriptions keep the prices of the version that they were sold, for whomever it is published.
        """
        publishing.publish(package=found(captured))
        return Data(data=Published())

    def archive(_call: Call, **captured: str) -> Any:
        """Take it off sale; who has it keeps it."""
        package = found(captured)
        publishing.archive(package=package)
        return tell(package)

    new = HTTPStatus.CREATED
    return (
        operation("POST", f"{path}/draft", name=f"create_{one}_draft", tag=tag, status=new, answers=answers)(
            create_draft
        ),
        operation("DELETE", f"{path}/draft", name=f"remove_{one}_draft", tag=tag)(remove_draft),
        operation("GET", f"{path}/charges", name=f"list_{one}_charges", tag=tag)(list_charges),
        operation("POST", f"{path}/publish", name=f"publish_{one}", tag=tag)(publish),
        operation("POST", f"{path}/archive", name=f"archive_{one}", tag=tag, answers=answers)(archive),
    )
