"""The console's parts, one for each kind of entity that has jobs: what `integrations.entities` lists, these show."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func, Model, Q, QuerySet, Value
from django.db.models.sql.compiler import SQLCompiler
from django.http import Http404
from django.urls import NoReverseMatch, reverse

from integrations.entities import ENTITIES, Entity
from integrations.models import EntityKind

_SEARCHED = ("ref_id", "display_name", "name", "email")
#: So many rows with a word, or with a beginning of their ids, are named one by one.
_RARE = 5000
#: Of these there may be a million.
_MANY = {EntityKind.CUSTOMER, EntityKind.SUBSCRIPTION}
#: What stands between words: everything in ASCII but letters and digits.
_BETWEEN = r"[\x00-\x2f:-@\[-`{-\x7f]"
_LOOKS_LIKE_AN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:|+-]*")


class NoSuchEntity(Http404):
    """There is no entity with this id; the text is a sentence to show."""


class _HaveWords(Func):
    """Whether a row's `words` fit: a column that migrations add on PostgreSQL, beside `ref_id`."""

    output_field = BooleanField()

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, Any]:  # type: ignore[override]  # a column, not a call
        del connection
        ref_id, wanted = self.get_source_expressions()
        sql, params = compiler.compile(wanted)
        return f'({compiler.quote_name_unless_alias(ref_id.alias)}."words" @@ {sql}::tsquery)', params


class _OneByOne(_HaveWords):
    """The same, judged row by row in the order of the list: no index answers it."""

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, Any]:  # type: ignore[override]  # a column, not a call
        sql, params = super().as_sql(compiler, connection)
        return f"({sql} IS TRUE)", params


@dataclass(frozen=True)
class Sought:
    """The condition of a search as it is judged row by row, and as an index answers it, where there is one.

    `few` asks the index for the numbers of such of some rows, in their order if they have one, or returns None where
    they are too many to be named. `is_of_ids`: in the order of ids they stand side by side.
    """

    one_by_one: Q
    by_index: Q | None = None
    few: Callable[[QuerySet[Any]], list[int] | None] = lambda _: None
    is_of_ids: bool = False


@dataclass(frozen=True)
class Section:
    """One kind of entity as the pages show it; `slug` is its place in the address, which is also written into Zuora."""

    entity: Entity

    @property
    def kind(self) -> EntityKind:
        return self.entity.kind

    @property
    def model(self) -> type[Model]:
        return self.entity.model

    @cached_property
    def singular(self) -> str:
        return str(self.model._meta.verbose_name)  # noqa: SLF001 - Django's public name for it

    @cached_property
    def plural(self) -> str:
        return str(self.model._meta.verbose_name_plural)  # noqa: SLF001

    @cached_property
    def slug(self) -> str:
        return f"{self.kind.value}s"

    @property
    def may_be_many(self) -> bool:
        """Whether the database keeps what lists of a million need: an index of words, and what has no record."""
        return self.kind in _MANY and connection.vendor == "postgresql"

    @property
    def rows(self) -> QuerySet[Any]:
        return self.model._default_manager.all()  # noqa: SLF001

    @cached_property
    def name_field(self) -> str:
        """The field that holds its name, or nothing where it has only an id."""
        return next((name for name in ("display_name", "name") if name in self._fields), "")

    @cached_property
    def _fields(self) -> set[str]:
        return {field.name for field in self.model._meta.get_fields()}  # noqa: SLF001

    @property
    def beside(self) -> tuple[str, ...]:
        """What a list shows of a row beside its id: who has it, and what was sold."""
        return ("customer", "plan") if self.kind == EntityKind.SUBSCRIPTION else ()

    def search(self, text: str) -> Sought:
        """Return the condition for rows with words in their id, name or e-mail address that begin with those given.

        A text that looks like an id, and with which ids begin, finds these alone: it is sought along the ids.
        """
        if self._is_beginning_of_an_id(text):
            begins = Q(ref_id__startswith=text, ref_id__gte=text)
            by_index = begins if self.may_be_many else None
            return Sought(begins, by_index, lambda rows: self._few(rows, begins), is_of_ids=True)
        words = [word for word in re.split(_BETWEEN, text.lower()) if word]
        if not words:
            return Sought(Q(pk__in=[]))
        if self.may_be_many:
            return self._by_index([f"'{word}':*" for word in words])
        found = Q()
        names = [name for name in _SEARCHED if name in self._fields]
        for word in words:
            pattern = f"(^|{_BETWEEN}){re.escape(word)}"
            found &= Q(*((f"{name}__iregex", pattern) for name in names), _connector=Q.OR)
        return Sought(found)

    def _by_index(self, beginnings: list[str]) -> Sought:
        """Return the condition for rows with such words.

        PostgreSQL takes any beginning of a word to fit every fiftieth row, and would walk along the whole list for a
        word that few rows have. Asked for twice, it takes it to be rare, and asks the index, but for it only once.
        """
        words = F("ref_id"), Value(" & ".join(beginnings))
        rare, one_by_one = Q(_HaveWords(*words)), Q(_OneByOne(*words))
        return Sought(one_by_one, rare & one_by_one, lambda rows: self._few(rows, rare & one_by_one))

    def _few(self, rows: QuerySet[Any], condition: Q) -> list[int] | None:
        found = rows.filter(condition)
        if found.ordered and found.order_by().values("pk")[_RARE : _RARE + 1]:
            return None  # without putting all of them in order
        ids = list(found.values_list("pk", flat=True)[: _RARE + 1])
        return ids if len(ids) <= _RARE else None

    def _is_beginning_of_an_id(self, text: str) -> bool:
        if not _LOOKS_LIKE_AN_ID.fullmatch(text) or text.isalpha():
            return False
        return self.rows.filter(ref_id__startswith=text, ref_id__gte=text).exists()

    def get(self, ref_id: str) -> Any:
        """Return the entity with this Stigg id.

        Raises:
            NoSuchEntity: there is none.
        """
        row = self.rows.filter(ref_id=ref_id).first()
        if row is None:
            raise NoSuchEntity(f"There is no {self.singular} with the id {ref_id}.")
        return row

    def url(self, ref_id: str) -> str:
        return reverse("entity", args=[self, ref_id])

    def edit_url(self, pk: int) -> str:
        """Return the address of the form that changes it, or nothing where Django admin does not have one."""
        options = self.model._meta  # noqa: SLF001
        try:
            return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[pk])
        except NoReverseMatch:
            return ""


SECTIONS = {section.slug: section for section in map(Section, ENTITIES.values())}
SECTION_OF_KIND: dict[str, Section] = {section.kind.value: section for section in SECTIONS.values()}


class SectionConverter:
    """Lets an address name a section."""

    regex = "|".join(SECTIONS)

    def to_python(self, value: str) -> Section:
        return SECTIONS[value]

    def to_url(self, value: Section) -> str:
        return value.slug


def url_of_key(key: str) -> str:
    """Return the address of the entity that a record key (`plan:pro`, `plan:pro/MONTHLY`) belongs to, or nothing."""
    kind, _, rest = key.partition(":")
    section = SECTION_OF_KIND.get(kind)
    ref_id = rest.partition("/")[0]
    return section.url(ref_id) if section and ref_id else ""
