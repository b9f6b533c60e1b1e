"""Amounts with their tiers, edited in one row: the tiers are written in a box, one per line."""

from typing import Any, TypeVar, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.forms import BaseInlineFormSet
from django.http import HttpRequest

from catalog.tiers import TIERS_SYNTAX, Tier, amount_problems, format_tiers, parse_tiers

Priced = TypeVar("Priced", bound=models.Model)
Parent = TypeVar("Parent", bound=models.Model)


class TiersField(forms.CharField):
    """The tiers of an amount; its value is a list of Tier."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            widget=forms.Textarea(attrs={"rows": 3, "cols": 30, "spellcheck": "false"}),
            help_text=TIERS_SYNTAX,
        )

    def prepare_value(self, value: Any) -> Any:
        return format_tiers(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, list) else parse_tiers(super().to_python(value) or "")

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or []))
        except ValidationError:
            return True


class TieredAmountForm(forms.ModelForm[Priced]):
    """The form of a model with an `amount` and, hanging on it, `tiers`."""

    tiers = TiersField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        priced: Any = self.instance
        if priced.pk:
            self.initial["tiers"] = [Tier.of(row) for row in priced.tiers.all()]

    def check_amount(self, *, tiers_mode: str) -> None:
        """Add an error for each thing that is wrong under the price's tiers mode."""
        amount, tiers = self.cleaned_data.get("amount"), self.cleaned_data.get("tiers", [])
        for problem in amount_problems(amount=amount, tiers=tiers, tiers_mode=tiers_mode):
            self.add_error("tiers" if tiers_mode or tiers else "amount", problem)

    def save(self, commit: bool = True) -> Priced:  # noqa: FBT001, FBT002 - Django's own signature
        priced: Any = super().save(commit)
        if commit and "tiers" in self.changed_data:
            priced.tiers.all().delete()
            for tier in self.cleaned_data["tiers"]:
                priced.tiers.create(up_to=tier.up_to, unit_price=tier.unit_price, flat_price=tier.flat_price)
        return cast("Priced", priced)


class TieredAmountFormSet(BaseInlineFormSet[Priced, Parent, forms.ModelForm[Priced]]):
    """Amounts whose tiers fit the tiers mode of their price."""

    def kept_forms(self) -> list[TieredAmountForm[Priced]]:
        """Return the filled forms that are sound so far and not to be deleted."""
        return [
            form
            for form in self.forms
            if isinstance(form, TieredAmountForm)
            and form.is_valid()
            and form.cleaned_data
            and not form.cleaned_data.get("DELETE")
        ]


class TieredAmountInline(admin.TabularInline[Priced, Parent]):
    """Amounts with their tiers, also for those who may only look."""

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Priced]:
        return super().get_queryset(request).prefetch_related("tiers")

    @admin.display(description="tiers")
    def tiers(self, priced: Any) -> str:
        return format_tiers(Tier.of(row) for row in priced.tiers.all())
