"""The rows of a subscription's page, checked against each other before any is saved."""

from typing import Any, TypeVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.forms import BaseInlineFormSet
from django.utils.functional import cached_property

from catalog.admin.tiers import TieredAmountForm, TieredAmountFormSet, TieredAmountInline
from catalog.dependencies import dependency_problems
from catalog.models import Price
from subscriptions.models import PriceOverride, Subscription, SubscriptionAddon, SubscriptionQuantity

Row = TypeVar("Row", bound=Model)


class ContentFormSet(BaseInlineFormSet[Row, Subscription, forms.ModelForm[Row]]):
    """Rows that are checked against the subscription as it was posted, not as it is stored."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.instance.subscription = self.instance


class AddonFormSet(ContentFormSet[SubscriptionAddon]):
    """The add-ons; it comes first, because quantities and overrides may be of an add-on of the same request."""

    def clean(self) -> None:
        super().clean()
        self.instance.proposed_addons = [
            form.instance
            for form in self.forms
            if form.is_valid() and form.cleaned_data and not form.cleaned_data.get("DELETE")
        ]
        problems = dependency_problems(held=[row.addon for row in self.instance.proposed_addons])
        if problems and self.has_changed():  # what was sold before its add-on needed something stays as it is
            raise ValidationError(problems)


class AddonInline(admin.TabularInline[SubscriptionAddon, Subscription]):
    model = SubscriptionAddon
    formset = AddonFormSet
    autocomplete_fields = ("addon",)
    extra = 0


class QuantityFormSet(ContentFormSet[SubscriptionQuantity]):
    """The quantities."""


class QuantityInline(admin.TabularInline[SubscriptionQuantity, Subscription]):
    model = SubscriptionQuantity
    formset = QuantityFormSet
    autocomplete_fields = ("feature",)
    extra = 0


class OverrideForm(TieredAmountForm[PriceOverride]):
    # Every price can be posted, so that the model says what is wrong with a foreign one; only its own are offered.
    price = forms.ModelChoiceField(queryset=Price.objects.select_related("plan", "addon", "feature"))


class OverrideFormSet(TieredAmountFormSet[PriceOverride, Subscription]):
    """Overrides of what the subscription is charged, as it was posted."""

    @cached_property
    def price_choices(self) -> list[tuple[Any, str]]:
        prices = self.instance.prices() if self.instance.plan_id else []
        return [("", "---------"), *((price.pk, f"{price.package}: {price}") for price in prices)]

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.instance.subscription = self.instance
        form.fields["price"].widget.choices = self.price_choices

    def clean(self) -> None:
        super().clean()
        for form in self.kept_forms():
            form.check_amount(tiers_mode=form.cleaned_data["price"].tiers_mode)


class OverrideInline(TieredAmountInline[PriceOverride, Subscription]):
    model = PriceOverride
    form = OverrideForm
    formset = OverrideFormSet
    fields = ("price", "amount", "tiers")
    extra = 0
