"""Money on the wire: Stigg's REST writes currencies in small letters, and knows these (`amountsOff` of the SDK)."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import AfterValidator, PlainSerializer, StringConstraints, WithJsonSchema

from integrations.api.schema import Input, NotNegative, Output

CURRENCIES = """
    usd aed all amd ang aud awg azn bam bbd bdt bgn bif bmd bnd bsd bwp byn bzd brl cad cdf chf cny czk dkk dop dzd
    egp etb eur fjd gbp gel gip gmd gyd hkd hrk htg idr ils inr isk jmd jpy kes kgs khr kmf krw kyd kzt lbp lkr lrd
    lsl mad mdl mga mkd mmk mnt mop mro mvr mwk mxn myr mzn nad ngn nok npr nzd pgk php pkr pln qar ron rsd rub rwf
    sar sbd scr sek sgd sle sll sos szl thb tjs top try ttd tzs uah uzs vnd vuv wst xaf xcd yer zar zmw clp djf gnf
    ugx pyg xof xpf
""".split()  # noqa: SIM905 - a line for each would say no more


def _known(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("it is no currency, in small letters, that Stigg knows")
    return code.upper()


def _of_country(code: str) -> str:
    return code.upper()


#: A currency, held in capitals as everywhere else.
Currency = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": CURRENCIES})]
#: A country, or "eu" for the European Union.
Country = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|eu)$"), AfterValidator(_of_country)]


def tidy(number: Decimal) -> int | Decimal:
    """Return the number without the zeros that the database keeps behind it."""
    return int(number) if number == number.to_integral_value() else number.normalize()


#: A number in an answer: whole ones without a point, every digit of the others.
Tidy = Annotated[Decimal, PlainSerializer(tidy), WithJsonSchema({"type": "number"})]


class MoneyIn(Input):
    """An amount in whole currency units: 49 is 49.00."""

    amount: NotNegative
    currency: Currency


class MoneyOut(Output):
    """An amount in whole currency units: 49 is 49.00."""

    amount: Tidy
    currency: str

    @classmethod
    def of(cls, amount: Decimal, currency: str) -> Self:
        """Write an amount."""
        return cls(amount=amount, currency=currency.lower())


def country(code: str) -> str | None:
    """Write a country, where there is one."""
    return {"": None, "EU": "eu"}.get(code, code)
