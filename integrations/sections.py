"""The console's parts, one for each kind of entity that has jobs: what `integrations.entities` lists, these show."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.http import Http404
from django.urls import NoReverseMatch, reverse

from integrations.entities import ENTITIES, Entity
from integrations.models import EntityKind

_SEARCHED = ("ref_id", "display_name", "name", "email")


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
    def rows(self) -> QuerySet[Any]:
        return self.model._default_manager.all()  # noqa: SLF001

    def search(self, text: str) -> Q:
        """Return the condition for rows that hold the text in their id, name or e-mail address."""
        fields = {field.name for field in self.model._meta.get_fields()}  # noqa: SLF001
        found = Q()
        for name in _SEARCHED:
            if name in fields:
                found |= Q(**{f"{name}__icontains": text})
        return found

    def get(self, ref_id: str) -> Any:
        """Return the entity with this Stigg id.

        Raises:
            Http404: there is none.
        """
        row = self.rows.filter(ref_id=ref_id).first()
        if row is None:
            raise Http404(f"There is no {self.singular} with the id {ref_id}.")
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
