"""The product catalog: products, rate plans, charges, price tiers, by the CRUD endpoints that every tenant has."""

from typing import Any

from integrations.zuora.client.queries import QueryEndpoints, equal
from integrations.zuora.client.transport import Body, segment

_CREATED = ("Id",)


class CatalogEndpoints(QueryEndpoints):
    """Bodies and answers in Zuora's Pascal case; creates and updates answer `{"Success": true, "Id": ...}`."""

    # https://developer.zuora.com/v1-api-reference/api/operation/Object_POSTProduct/
    def create_product(self, body: Body, *, idempotency_key: str) -> dict[str, Any]:
        return self._post("/v1/object/product", body, idempotency_key=idempotency_key, expects=_CREATED)

    # https://developer.zuora.com/v1-api-reference/api/operation/Object_PUTProduct/
    def update_product(self, product_id: str, body: Body) -> dict[str, Any]:
        return self._put(f"/v1/object/product/{segment(product_id)}", body, expects=_CREATED)

    # https://developer.zuora.com/v1-api-reference/api/operation/queryProductByKey/
    def get_product(self, product_id: str) -> dict[str, Any]:
        return self.query_by_key("products", product_id)

    # https://developer.zuora.com/v1-api-reference/api/operation/queryProducts/
    def find_product(self, *, sku: str) -> dict[str, Any] | None:
        return self._only("products", filters=[equal("sku", sku)], exactly={"sku": sku})

    # https://developer.zuora.com/v1-api-reference/api/operation/Object_POSTProductRatePlan/
    def create_rate_plan(self, body: Body, *, idempotency_key: str) -> dict[str, Any]:
        return self._post("/v1/object/product-rate-plan", body, idempotency_key=idempotency_key, expects=_CREATED)

    # https://developer.zuora.com/v1-api-reference/api/operation/Object_PUTProductRatePlan/
    def update_rate_plan(self, rate_plan_id: str, body: Body) -> dict[str, Any]:
        return self._put(f"/v1/object/product-rate-plan/{segment(rate_plan_id)}", body, expects=_CREATED)

    # https://developer.zuora.com/v1-api-reference/api/operation/queryProductRatePlanByKey/
    def get_rate_plan(self, rate_plan_id: str) -> dict[str, Any]:
        return self.query_by_key("product-rate-plans", rate_plan_id)

    # https://developer.zuora.com/v1-api-reference/api/operation/queryProductRatePlans/
    def find_rate_plan(self, *, product_id: str, number: str) -> dict[str, Any] | None:
        return self._only(
            "product-rate-plans",
            filters=[equal("productid", product_id), equal("productrateplannumber", number)],
            exactly={"productId": product_id, "productRatePlanNumber": number},
        )

    # https://developer.zuora.com/v1-api-reference/api/operation/queryProductRatePlans/
    def find_rate_plan_by_name(self, *, product_id: str, name: str) -> dict[str, Any] | None:
        return self._only(
            "product-rate-plans",
            filters=[equal("productid", product_id), equal("name", name)],
            exactly={"productId": product_id, "name": name},
        )

    # https://developer.zuora.com/v1-api-reference/api/operation/queryProductRatePlans/
    def rate_plans_of(self, product_id: str) -> list[dict[str, Any]]:
        return list(self.query("product-rate-plans", filters=[equal("productid", product_id)]))

    # https://developer.zuora.com/v1-api-reference/api/operation/Object_POSTProductRatePlanCharge/
    def create_charge(self, body: Body, *, idempotency_key: str) -> dict[str, Any]:
        return self._post(
            "/v1/object/product-rate-plan-charge", body, idempotency_key=idempotency_key, expects=_CREATED
        )

    # https://developer.zuora.com/v1-api-reference/api/operation/Object_PUTProductRatePlanCharge/
    def update_charge(self, charge_id: str, body: Body) -> dict[str, Any]:
        return self._put(f"/v1/object/product-rate-plan-charge/{segment(charge_id)}", body, expects=_CREATED)

    # https://developer.zuora.com/v1-api-reference/api/operation/queryProductRatePlanCharges/
    def find_charge(self, *, rate_plan_id: str, number: str) -> dict[str, Any] | None:
        return self._only(
            "product-rate-plan-charges",
            filters=[equal("productrateplanid", rate_plan_id), equal("productrateplanchargenumber", number)],
            exactly={"productRatePlanId": rate_plan_id, "productRatePlanChargeNumber": number},
        )

    # https://developer.zuora.com/v1-api-reference/api/operation/queryProductRatePlanCharges/
    def charges_of(self, rate_plan_id: str) -> list[dict[str, Any]]:
        return list(self.query("product-rate-plan-charges", filters=[equal("productrateplanid", rate_plan_id)]))

    # https://developer.zuora.com/v1-api-reference/api/operation/queryProductRatePlanChargeTiers/
    def charge_tiers_of(self, charge_id: str) -> list[dict[str, Any]]:
        """Return a charge's price rows, all of them: expanded rows of a charge are cut at the page size."""
        filters = [equal("productrateplanchargeid", charge_id)]
        return list(self.query("product-rate-plan-charge-tiers", filters=filters))

    # https://developer.zuora.com/v1-api-reference/api/operation/Object_PUTProductRatePlanChargeTier/
    def update_charge_tier(self, tier_id: str, body: Body) -> dict[str, Any]:
        """Change a price row; Zuora takes its `Price` only."""
        return self._put(f"/v1/object/product-rate-plan-charge-tier/{segment(tier_id)}", body, expects=_CREATED)
