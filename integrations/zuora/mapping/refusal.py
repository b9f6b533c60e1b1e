"""How the mapping says no: in sentences, all of them at once, and never by cutting something off."""

from decimal import Decimal

#: Zuora's numbers: 13 digits before the point, 9 after it.
WHOLE_DIGITS = 13
DECIMAL_DIGITS = 9


class Refused(Exception):  # noqa: N818 - it is an answer, not a mistake in the program
    """What Zuora cannot hold, in sentences that each name the field and the cure."""

    def __init__(self, *sentences: str) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences


class Refusals:
    """Collects sentences while an entity is mapped, so that one answer names all there is to cure."""

    def __init__(self) -> None:
        self._sentences: list[str] = []

    def add(self, sentence: str) -> None:
        """Note one more thing that Zuora cannot hold; the same sentence counts once."""
        if sentence not in self._sentences:
            self._sentences.append(sentence)

    def text(self, value: str, *, what: str, limit: int) -> str:
        """Return the text, and note it when it is longer than Zuora's field or holds 4-byte UTF-8 (an emoji).

        Source: https://developer.zuora.com/v1-api-reference/introduction/
        """
        if len(value) > limit:
            self.add(f"{what} has {len(value)} characters and Zuora holds {limit}: shorten it.")
        if wide := next((character for character in value if ord(character) > 0xFFFF), ""):  # noqa: PLR2004 - the last 3-byte character
            self.add(f"{what} holds {wide!r}, an emoji or another character that Zuora cannot store: take it out.")
        return value

    def number(self, value: Decimal, *, what: str) -> Decimal:
        """Return the number without trailing zeros, and note it when Zuora has too few digits for it."""
        _, digits, exponent = value.as_tuple()
        if not isinstance(exponent, int):
            self.add(f"{what} is {value}, which is no number: give an amount.")
            return value
        exact = exact_number(value)
        decimals = max(0, -int(exact.as_tuple().exponent))
        if decimals > DECIMAL_DIGITS or len(digits) + exponent > WHOLE_DIGITS:
            self.add(
                f"{what} is {exact:f}, and Zuora holds {WHOLE_DIGITS} digits before the point and {DECIMAL_DIGITS} "
                "after it: round it."
            )
        return exact

    def answer(self) -> None:
        """End the mapping when something was noted.

        Raises:
            Refused: with every sentence.
        """
        if self._sentences:
            raise Refused(*self._sentences)


def exact_number(value: Decimal) -> Decimal:
    """Return the same number without trailing zeros and without an exponent: 10.50 and 10.500 are sent alike."""
    text = f"{value:f}"
    return Decimal(text.rstrip("0").rstrip(".") or "0") if "." in text else Decimal(text)
