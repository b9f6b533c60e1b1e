class Refused(Exception):  # noqa: N818 - it is an answer, not a mistake in the program
    """What Zuora cannot hold, in sentences that each name the field and the cure."""

    def __init__(self, *sentences: str) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences
