import pytest

from integrations.zuora.hosts import (
    DATA_CENTRES,
    DataCentre,
    Page,
    UnknownHostError,
    link,
    normalise_tenant_url,
    ui_base,
)

STANDIN = "http://127.0.0.1:8900"
ID = "8ad0000000000000000000000000000a"


@pytest.mark.parametrize("centre", DATA_CENTRES)
@pytest.mark.parametrize("form", ["{}", "https://{}", "https://{}/", "HTTPS://{}:443/apps/newlogin.do?a=b#c", "  {}\n"])
def test_any_address_of_a_data_centre_gives_its_rest_host(centre: DataCentre, form: str) -> None:
    for host in (centre.rest_host, centre.ui_host, centre.ui_host.upper()):
        assert normalise_tenant_url(form.format(host)) == f"https://{centre.rest_host}"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "not one of Zuora's data centres"),
        ("https://zuora.example", "not one of Zuora's data centres"),
        ("https://rest.na.zuora.com.evil.example", "not one of Zuora's data centres"),
        ("https://evil.example/rest.na.zuora.com", "not one of Zuora's data centres"),
        ("https://evil.example?https://rest.na.zuora.com", "not one of Zuora's data centres"),
        ("https://evil.example#rest.na.zuora.com", "not one of Zuora's data centres"),
        ("https://xn--zuora-0fb.com", "not one of Zuora's data centres"),
        ("https://rest.na.zuora.com.", "not one of Zuora's data centres"),
        ("https://203.0.113.7", "not one of Zuora's data centres"),
        ("https://[2001:db8::7]", "not one of Zuora's data centres"),
        ("https://2130706433", "not one of Zuora's data centres"),
        ("http://127.0.0.1:8900", "must begin with https://"),
        ("http://rest.na.zuora.com", "must begin with https://"),
        ("ftp://rest.na.zuora.com", "must begin with https://"),
        ("//rest.na.zuora.com", "not one of Zuora's data centres"),
        ("https://rest.na.zuora.com:8443", "must not name a port"),
        ("https://rest.na.zuora.com:", "must not name a port"),
        ("https://rest.na.zuora.com@evil.example", "characters that no tenant URL has"),
        ("https://user:pass@rest.na.zuora.com", "characters that no tenant URL has"),
        ("https://evil.example\\@rest.na.zuora.com", "characters that no tenant URL has"),
        ("https://rest.na.zuora.com\t.evil.example", "characters that no tenant URL has"),
        ("https://rest.na.zuora\u3002com", "characters that no tenant URL has"),
        ("https://rest.na.zu\u043era.com", "characters that no tenant URL has"),
        ("https://[rest.na.zuora.com", "cannot be read as a URL"),
    ],
)
def test_any_other_host_is_refused_with_what_was_given_and_the_choices(url: str, why: str) -> None:
    with pytest.raises(UnknownHostError) as caught:
        normalise_tenant_url(url)

    assert why in str(caught.value)
    assert repr(url.strip()) in str(caught.value)
    assert all(centre.ui_host in str(caught.value) for centre in DATA_CENTRES)


@pytest.mark.parametrize(
    "url", [STANDIN, STANDIN + "/", "127.0.0.1:8900", "http://127.0.0.1:8900/apps/x", " " + STANDIN]
)
def test_an_extra_host_is_taken_as_it_stands(url: str) -> None:
    assert normalise_tenant_url(url, [STANDIN + "/"]) == STANDIN


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8901", "https://127.0.0.1:8900", "http://127.0.0.1", "http://127.0.0.1:8900@evil.example"]
)
def test_an_extra_host_allows_nothing_beside_itself(url: str) -> None:
    with pytest.raises(UnknownHostError):
        normalise_tenant_url(url, [STANDIN])


@pytest.mark.parametrize(
    ("rest_base", "ui"),
    [
        ("https://rest.zuora.com", "https://www.zuora.com"),
        ("https://rest.test.eu.zuora.com", "https://test.eu.zuora.com"),
        (STANDIN, STANDIN),
    ],
)
def test_pages_are_at_the_ui_host_of_the_same_data_centre(rest_base: str, ui: str) -> None:
    assert ui_base(rest_base) == ui


@pytest.mark.parametrize(
    ("page", "path"),
    [
        (Page.PRODUCT, f"/apps/Product.do?method=view&id={ID}"),
        (Page.RATE_PLAN, f"/apps/Product.do?method=view&id=P%2F1#{ID}"),
        (Page.ACCOUNT, f"/apps/CustomerAccount.do?method=view&id={ID}"),
        (Page.SUBSCRIPTION, f"/apps/Subscription.do?method=view&id={ID}"),
        (Page.INVOICE, f"/platform/apps/com_zuora/invoice/{ID}"),
    ],
)
def test_link_opens_the_object_in_the_tenant(page: Page, path: str) -> None:
    assert link("https://rest.na.zuora.com", page, ID, product_id="P/1") == "https://na.zuora.com" + path


@pytest.mark.parametrize(("page", "zuora_id"), [(Page.ACCOUNT, ""), (Page.RATE_PLAN, ID)])
def test_link_without_an_id_is_an_error(page: Page, zuora_id: str) -> None:
    with pytest.raises(ValueError, match=f"A link to a {page} needs"):
        link("https://rest.na.zuora.com", page, zuora_id)
