from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integrations.zuora.standin.driver import BASE, Driver, usage_body, usage_catalog, usd

if TYPE_CHECKING:
    from datetime import date

    from integrations.zuora.standin.app import StandIn

HEADER = "ACCOUNT_ID,UOM,QTY,STARTDATE,ENDDATE,SUBSCRIPTION_ID,CHARGE_ID,DESCRIPTION,UNIQUE_KEY\n"


@pytest.fixture
def charge(zuora: Driver) -> str:
    return usage_catalog(zuora)


def upload(zuora: Driver, rows: list[str], header: str = HEADER, name: str = "usage.csv") -> Any:
    files = {"file": (name, header + "".join(f"{row}\n" for row in rows), "text/csv")}
    return zuora.session.post(f"{BASE}/v1/usage", files=files, headers={"Zuora-Version": "2025-08-12"})


def billed(app: StandIn, day: date) -> list[tuple[str, str]]:
    app.control.bill_run(day)
    items = [one for one in app.control.rows("InvoiceItem") if one["ChargeType"] == "Usage"]
    return [(f"{one['Quantity']}", f"{one['ChargeAmount']}") for one in items]


def test_a_record_is_read_back_in_the_tenants_zone(zuora: Driver, app: StandIn, charge: str) -> None:
    app.control.set_switches(time_zone="America/New_York")
    sent = usage_body(charge, StartDateTime="2026-01-06T02:00:00+00:00", Quantity=2)
    usage = zuora.made("/v1/object/usage", sent)
    read = zuora.get(f"/v1/object/usage/{usage}")
    assert read["StartDateTime"] == "2026-01-05T21:00:00.000-05:00"
    wanted = {name: sent[name] for name in ("SubscriptionNumber", "ChargeNumber", "UOM", "Quantity", "Description")}
    assert {name: read[name] for name in wanted} == wanted
    assert (read["RbeStatus"], read["AccountNumber"]) == ("Pending", "cust-1")


def test_a_time_without_an_offset_is_the_tenants(zuora: Driver, app: StandIn, charge: str) -> None:
    app.control.set_switches(time_zone="Asia/Tokyo")
    usage = zuora.made("/v1/object/usage", usage_body(charge, StartDateTime="2026-01-05T10:00:00"))
    assert zuora.get(f"/v1/object/usage/{usage}")["StartDateTime"] == "2026-01-05T10:00:00.000+09:00"


@pytest.mark.parametrize(
    "change",
    [
        {"Quantity": -1},
        {"Quantity": "many"},
        {"Quantity": None},
        {"UOM": None},
        {"UOM": "parsecs"},
        {"StartDateTime": None},
        {"StartDateTime": "yesterday"},
        {"AccountNumber": None},
        {"AccountNumber": "nobody"},
        {"SubscriptionNumber": "none"},
        {"ChargeNumber": "C-99999999"},
        {"Description": "x" * 201},
        {"UniqueKey": "k"},
    ],
)
def test_a_wrong_record_is_refused(zuora: Driver, charge: str, change: dict[str, Any]) -> None:
    reply = zuora.call("POST", "/v1/object/usage", usage_body(charge) | change)
    assert (reply.status, reply.body["Success"]) == (400, False)
    assert zuora.app.control.rows("Usage") == []


@pytest.mark.usefixtures("charge")
def test_usage_of_a_charge_that_is_not_usage_is_refused(zuora: Driver) -> None:
    body = usage_body(zuora.charge_number("fee"))
    assert zuora.call("POST", "/v1/object/usage", body).status == 400


def test_two_equal_records_are_two_and_bill_twice(zuora: Driver, app: StandIn, charge: str) -> None:
    for _ in range(2):
        zuora.made("/v1/object/usage", usage_body(charge))
    assert billed(app, app.control.now().date()) == [("20.00", "10.00")]


def test_usage_without_a_charge_lands_on_every_charge_of_that_unit(zuora: Driver, app: StandIn, charge: str) -> None:
    zuora.subscribe("sub-2")
    zuora.made("/v1/object/usage", {**usage_body(charge), "ChargeNumber": None, "SubscriptionNumber": None})
    assert billed(app, app.control.now().date()) == [("10.00", "5.00")] * 2


def test_usage_with_a_subscription_stays_on_it(zuora: Driver, app: StandIn, charge: str) -> None:
    zuora.subscribe("sub-2")
    zuora.made("/v1/object/usage", {**usage_body(charge), "ChargeNumber": None})
    assert billed(app, app.control.now().date()) == [("10.00", "5.00")]


def test_usage_changes_until_it_is_billed(zuora: Driver, app: StandIn, charge: str) -> None:
    usage = zuora.made("/v1/object/usage", usage_body(charge))
    path = f"/v1/object/usage/{usage}"
    assert zuora.call("PUT", path, {"Quantity": 4, "Description": "slice-1b"}).status == 200
    assert billed(app, app.control.now().date()) == [("4.00", "2.00")]
    assert zuora.get(path)["RbeStatus"] == "Processed"
    assert zuora.call("PUT", path, {"Quantity": 5}).status == 400
    assert zuora.call("DELETE", path).status == 400
    app.control.set_switches(custom_fields={"Usage": ["slice__c"]})
    assert zuora.call("PUT", path, {"slice__c": "s-1"}).status == 200
    assert zuora.get(path)["slice__c"] == "s-1"


def test_late_usage_of_a_billed_period_is_billed_by_itself(zuora: Driver, app: StandIn, charge: str) -> None:
    zuora.made("/v1/object/usage", usage_body(charge))
    billed(app, app.control.now().date())
    late = zuora.made("/v1/object/usage", usage_body(charge, Quantity=3))
    assert billed(app, app.control.now().date()) == [("10.00", "5.00"), ("3.00", "1.50")]
    assert zuora.get(f"/v1/object/usage/{late}")["RbeStatus"] == "Processed"


def test_billed_usage_stays_billed_when_the_subscription_ends_before_it(
    zuora: Driver, app: StandIn, charge: str
) -> None:
    zuora.made("/v1/object/usage", usage_body(charge, StartDateTime="2026-01-20T00:00:00Z"))
    billed(app, app.control.now().date())
    member = {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": "2026-01-10"}
    zuora.order({"type": "CancelSubscription", "cancelSubscription": member}, subscription="sub-1")
    assert billed(app, app.control.now().date()) == [("10.00", "5.00")]


def test_deleted_usage_is_gone(zuora: Driver, charge: str) -> None:
    usage = zuora.made("/v1/object/usage", usage_body(charge))
    assert zuora.call("DELETE", f"/v1/object/usage/{usage}").body == {"success": True, "id": usage}
    assert zuora.call("DELETE", f"/v1/object/usage/{usage}").status == 404


def test_the_list_of_an_account_is_newest_first_without_offsets(zuora: Driver, charge: str) -> None:
    for quantity in (1, 2):
        zuora.made("/v1/object/usage", usage_body(charge, Quantity=quantity))
    listed = zuora.get("/v1/usage/accounts/cust-1")["usage"]
    assert [(one["quantity"], one["startDateTime"]) for one in listed] == [
        ("2", "2026-01-05 10:00:00"),
        ("1", "2026-01-05 10:00:00"),
    ]


def test_fifty_objects_have_fifty_results_and_the_good_ones_stay(zuora: Driver, charge: str) -> None:
    objects = [usage_body(charge, Quantity=index - 1) for index in range(50)]
    reply = zuora.call("POST", "/v1/action/create", {"type": "Usage", "objects": objects})
    assert reply.status == 200
    assert [one["Success"] for one in reply.body] == [False] + [True] * 49
    assert reply.body[0]["Errors"][0]["Code"] == "INVALID_VALUE"
    assert [row["Quantity"] for row in zuora.app.control.rows("Usage")] == list(range(49))


def test_fifty_one_objects_are_none(zuora: Driver, charge: str) -> None:
    reply = zuora.call("POST", "/v1/action/create", {"type": "Usage", "objects": [usage_body(charge)] * 51})
    assert (reply.status, reply.body["faultcode"]) == (400, "fns:MAX_RECORDS_EXCEEDED")
    assert zuora.app.control.rows("Usage") == []


def test_actions_update_and_delete_one_by_one(zuora: Driver, charge: str) -> None:
    usage = zuora.made("/v1/object/usage", usage_body(charge))
    objects = [{"Id": usage, "Quantity": 8}, {"Id": "none", "Quantity": 1}]
    results = zuora.call("POST", "/v1/action/update", {"type": "Usage", "objects": objects}).body
    assert [one["Success"] for one in results] == [True, False]
    assert zuora.get(f"/v1/object/usage/{usage}")["Quantity"] == 8
    results = zuora.call("POST", "/v1/action/delete", {"type": "Usage", "ids": [usage, usage]}).body
    assert [one["success"] for one in results] == [True, False]


@pytest.mark.parametrize(
    "body",
    [{"type": "Usage"}, {"objects": [{}]}, {"type": "Spaceship", "objects": [{}]}, {"type": "Usage", "objects": "x"}],
)
def test_an_action_that_is_none_is_a_fault(zuora: Driver, body: dict[str, Any]) -> None:
    reply = zuora.call("POST", "/v1/action/create", body)
    assert (reply.status, set(reply.body)) == (400, {"faultcode", "faultstring"})


def test_an_unknown_field_refuses_the_whole_action_where_asked(zuora: Driver, charge: str) -> None:
    body = {"type": "Usage", "objects": [usage_body(charge), usage_body(charge, Colour="red")]}
    reply = zuora.call("POST", "/v1/action/create?rejectUnknownFields=true", body)
    assert (reply.status, reply.body) == (400, {"message": "Error - unrecognised fields"})
    assert zuora.app.control.rows("Usage") == []


def test_a_file_is_taken_at_once_and_processed_later(zuora: Driver, app: StandIn, charge: str) -> None:
    app.control.set_switches(job_seconds=60.0)
    answer = upload(
        zuora, [f"cust-1,calls,5,01/15/2026,,sub-1,{charge},file-1,", f"cust-1,calls,6,01/16/2026,,sub-1,{charge},,"]
    ).json()
    assert answer["success"] is True
    assert zuora.get(answer["checkImportStatus"])["importStatus"] == "Pending"
    assert app.control.rows("Usage") == []
    app.control.advance(seconds=60)
    assert zuora.get(answer["checkImportStatus"])["importStatus"] == "Completed"
    rows = [(f"{one['Quantity']}", one["StartDateTime"][:10]) for one in app.control.rows("Usage")]
    assert rows == [("5", "2026-01-15"), ("6", "2026-01-16")]
    done = zuora.get(f"/v1/object/import/{answer['checkImportStatus'].split('/')[3]}")
    assert (done["Status"], done["ImportedCount"], done["TotalCount"]) == ("Completed", 2, 2)


def test_one_bad_row_rejects_the_file(zuora: Driver, app: StandIn, charge: str) -> None:
    good = f"cust-1,calls,5,01/15/2026,,sub-1,{charge},,"
    status = upload(zuora, [good, good.replace("calls", "parsecs")]).json()["checkImportStatus"]
    read = zuora.get(status)
    assert (read["importStatus"], read["message"].startswith("Row 3:")) == ("Failed", True)
    assert app.control.rows("Usage") == []


def test_file_dates_follow_the_users_locale(zuora: Driver, app: StandIn, charge: str) -> None:
    app.control.set_switches(locale="en_GB")
    upload(zuora, [f"cust-1,calls,5,15/01/2026,,sub-1,{charge},,"])
    zuora.get("/v1/catalog/products")
    assert [one["StartDateTime"][:10] for one in app.control.rows("Usage")] == ["2026-01-15"]


@pytest.mark.parametrize(
    ("header", "name"), [("ACCOUNT_ID,UOM\n", "usage.csv"), (HEADER, "usage.txt"), (HEADER, "x" * 47 + ".csv")]
)
def test_a_file_that_cannot_be_is_refused_at_once(zuora: Driver, header: str, name: str) -> None:
    answer = upload(zuora, [], header=header, name=name)
    assert (answer.status_code, answer.json()["success"]) == (400, False)


def test_the_unique_key_upserts_by_file_where_the_feature_is_on(zuora: Driver, app: StandIn, charge: str) -> None:
    app.control.set_switches(usage_unique_key=True)
    for quantity in (5, 7):
        upload(zuora, [f"cust-1,calls,{quantity},01/15/2026,,sub-1,{charge},,key-1"])
    zuora.get("/v1/catalog/products")
    assert [f"{one['Quantity']}" for one in app.control.rows("Usage")] == ["7"]


def test_quantities_are_rounded_by_their_unit_when_billed(zuora: Driver, app: StandIn) -> None:
    plan = zuora.plan(zuora.product())
    zuora.unit("up", precision=0)
    zuora.unit("down", precision=0, rounding="Down")
    for unit in ("up", "down"):
        zuora.charge(plan, unit, [usd(1)], ChargeModel="Per Unit Pricing", ChargeType="Usage", UOM=unit)
    zuora.account()
    zuora.subscribe()
    for unit in ("up", "down"):
        zuora.made("/v1/object/usage", usage_body(zuora.charge_number(unit), UOM=unit, Quantity="2.5"))
    assert billed(app, app.control.now().date()) == [("3", "3.00"), ("2", "2.00")]
