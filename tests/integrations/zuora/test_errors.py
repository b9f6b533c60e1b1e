import pytest

from integrations.zuora.errors import (
    Kind,
    LimitExceeded,
    Locked,
    NoAnswer,
    NotFound,
    Outcome,
    Reason,
    Redirected,
    Rejected,
    Scope,
    Unauthorized,
    ZuoraError,
)


@pytest.mark.parametrize(
    ("code", "category"),
    [("53100320", "20"), ("90000011", "11"), ("LOCK_COMPETITION", ""), ("", ""), ("5310032", ""), ("531003200", "")],
)
def test_category_is_the_last_two_of_eight_digits(code: str, category: str) -> None:
    assert Reason(code, "made up").category == category


def test_error_carries_the_category_of_its_first_coded_reason() -> None:
    error = Rejected("refused", reasons=(Reason("", "no code"), Reason("53100320", "bad"), Reason("53100030", "rule")))

    assert error.category == "20"


@pytest.mark.parametrize(
    ("cls", "kind", "scope"),
    [
        (NoAnswer, Kind.TRANSIENT, Scope.ENTITY),
        (Locked, Kind.TRANSIENT, Scope.ENTITY),
        (LimitExceeded, Kind.TRANSIENT, Scope.CONNECTION),
        (Unauthorized, Kind.PERMANENT, Scope.CONNECTION),
        (Redirected, Kind.PERMANENT, Scope.CONNECTION),
        (NotFound, Kind.PERMANENT, Scope.ENTITY),
        (Rejected, Kind.PERMANENT, Scope.ENTITY),
    ],
)
def test_each_child_says_by_itself_whether_and_for_whom_trying_again_helps(
    cls: type[ZuoraError], kind: Kind, scope: Scope
) -> None:
    error = cls("made up")

    assert (error.kind, error.scope, error.outcome) == (kind, scope, Outcome.RECEIVED)
    assert str(error) == "made up"
