"""Made-up coupons, customers and subscriptions: every rule that keeps something out of Zuora is met once."""

from stigg_zuora.demo.shapes import ANNUALLY, MONTHLY, Coupon, Customer, Subscription

COUPONS = (
    Coupon("launch-20", "Launch, 20 % off", percent="20"),
    Coupon("partner-10", "Partner, 10 % off for a year", percent="10", months=12),
    Coupon("welcome-50", "Welcome, 50 off for three months", amounts={"USD": "50", "EUR": "45"}, months=3),
)

#: Made in Zuora by hand, before this deployment was there, as were the accounts that customers' billing IDs name.
LEGACY_SUBSCRIPTION = "QUARRY-SOUND-2019"
LEGACY_SUBSCRIPTION_ACCOUNT = "QUARRY-SOUND-1"
LEGACY_SKU, LEGACY_PRODUCT = "CONTRACT-2019", "Contract of 2019"
LEGACY_RATE_PLAN, LEGACY_CHARGE, LEGACY_PRICE = "Yearly", "Yearly fee", "12000"
LEGACY_BEGIN = "2021-06-01"

CUSTOMERS = (
    # Kept out of Zuora, each by another rule.
    Customer("alder-finch", "Alder and Finch Studio", "books@alder-finch.example", "USD", "US", "Portland", state="OR"),
    Customer("birchwood-press", "Birchwood Press", "hello@birchwood-press.example", "EUR", "DE", "Ulm"),
    Customer("cobalt-kitchens", "Cobalt Kitchens", "it@cobalt-kitchens.example", "EUR", "FR", "Nantes"),
    Customer("driftwood-air", "Driftwood Air", "fleet@driftwood-air.example", "USD", "US", "Reno", state="NV"),
    Customer("ember-lane", "Ember Lane", "desk@ember-lane.example"),
    Customer("fernhill-clinic", "Fernhill Clinic", "office@fernhill.example", "EUR", "IE", "Cork", pays=False),
    # Forced into Zuora, by a billing ID and by metadata.
    Customer(
        "opal-museum",
        "Opal Museum of Tides",
        "desk@opal-museum.example",
        "EUR",
        "PT",
        "Porto",
        pays=False,
        billing_id="OPAL-MUSEUM-1",
    ),
    Customer(
        "quarry-sound",
        "Quarry Sound Recordings",
        "accounts@quarry-sound.example",
        "USD",
        "US",
        "Tulsa",
        state="OK",
        pays=False,
        billing_id="QUARRY-SOUND-1",
    ),
    Customer(
        "pine-orchard",
        "Pine Orchard School",
        "head@pine-orchard.example",
        "USD",
        "US",
        "Dover",
        state="DE",
        pays=False,
        metadata={"ZUORA__CostCenter": "EDU-7"},
    ),
    # Synced because nothing keeps them out.
    Customer("granite-yard", "Granite Yard", "ap@granite-yard.example", "USD", "US", "Barre", state="VT"),
    Customer(
        "harbor-loop",
        "Harbor Loop Logistics",
        "rechnung@harbor-loop.example",
        "EUR",
        "DE",
        "Bremen",
        line1="Am Speicher 4",
        postal_code="28217",
    ),
    Customer(
        "vesper-energy",
        "Vesper Energy",
        "billing@vesper-energy.example",
        "USD",
        "CA",
        "Calgary",
        state="AB",
        coupon="partner-10",
    ),
    Customer("iris-telecom", "Iris Telecom", "finance@iris-telecom.example", "USD", "US", "Boise", state="ID"),
    Customer("juniper-games", "Juniper Games", "studio@juniper-games.example", "EUR", "NL", "Utrecht"),
    Customer("kestrel-group", "Kestrel Group", "treasury@kestrel-group.example", "EUR", "AT", "Graz"),
    Customer("larch-labs", "Larch Labs", "lab@larch-labs.example", "EUR", "AT", "Linz"),
    Customer("maple-transit", "Maple Transit", "fleet@maple-transit.example", "USD", "US", "Duluth", state="MN"),
    Customer("rowan-bakery", "Rowan Bakery", "shop@rowan-bakery.example", "USD", "US", "Salem", state="OR"),
)

SUBSCRIPTIONS = (
    # Free, in trial, custom-priced.
    Subscription("birchwood-press-personal", "birchwood-press", "layer5-personal", starts=-90),
    Subscription(
        "cobalt-kitchens-designer",
        "cobalt-kitchens",
        "layer5-team-designer",
        MONTHLY,
        starts=-5,
        trial_ends=9,
        quantities={"layer5-user": 4},
    ),
    Subscription("driftwood-air-enterprise", "driftwood-air", "dust-enterprise", starts=-200),
    # Paid for by customers that are kept out, and of a plan that Zuora cannot hold: they wait, and say for whom.
    Subscription(
        "ember-lane-operator", "ember-lane", "layer5-team-operator", MONTHLY, starts=-12, quantities={"layer5-user": 3}
    ),
    Subscription(
        "fernhill-clinic-operator",
        "fernhill-clinic",
        "layer5-team-operator",
        ANNUALLY,
        starts=-40,
        quantities={"layer5-user": 6},
    ),
    Subscription("rowan-bakery-starter", "rowan-bakery", "typebot-starter", MONTHLY, starts=-20),
    # Forced.
    Subscription(
        "opal-museum-designer",
        "opal-museum",
        "layer5-team-designer",
        ANNUALLY,
        starts=-60,
        quantities={"layer5-user": 9},
    ),
    Subscription(
        "quarry-sound-enterprise", "quarry-sound", "dust-enterprise", starts=-2000, billing_id=LEGACY_SUBSCRIPTION
    ),
    Subscription(
        "pine-orchard-personal",
        "pine-orchard",
        "layer5-personal",
        starts=-30,
        metadata={"ZUORA__CostCenter": "EDU-7"},
    ),
    # Plain ones.
    Subscription(
        "granite-yard-designer",
        "granite-yard",
        "layer5-team-designer",
        MONTHLY,
        starts=-75,
        quantities={"layer5-user": 12},
        coupon="launch-20",
        resource="workspace-quarry",
    ),
    Subscription(
        "harbor-loop-enterprise",
        "harbor-loop",
        "layer5-enterprise",
        ANNUALLY,
        starts=-120,
        quantities={"layer5-user": 80, "layer5-learner-theory": 500, "layer5-server": 3},
        addons={"layer5-academy-theory": 1, "layer5-servers": 1},
        overrides={"layer5-user": "350"},
    ),
    Subscription(
        "vesper-energy-enterprise",
        "vesper-energy",
        "layer5-enterprise",
        MONTHLY,
        starts=-33,
        quantities={
            "layer5-user": 25,
            "layer5-learner-theory": 1000,
            "layer5-learner-labs": 250,
            "layer5-collaborator": 100,
        },
        addons={"layer5-academy-theory": 1, "layer5-academy-labs": 1, "layer5-webrtc": 1},
    ),
    Subscription(
        "iris-telecom-business",
        "iris-telecom",
        "dust-business-usage",
        MONTHLY,
        starts=-10,
        quantities={"dust-pro-seat": 8, "dust-max-seat": 2},
        coupon="welcome-50",
    ),
    Subscription("juniper-games-pro", "juniper-games", "typebot-pro", MONTHLY, starts=-48),
    Subscription(
        "kestrel-group-business",
        "kestrel-group",
        "dust-business",
        ANNUALLY,
        starts=-15,
        quantities={"dust-pro-seat": 40, "dust-max-seat": 5},
        metadata={"ZUORA__TermType": "TERMED", "ZUORA__InitialTerm": "12", "ZUORA__AutoRenew": "true"},
    ),
    Subscription(
        "larch-labs-designer",
        "larch-labs",
        "layer5-team-designer",
        ANNUALLY,
        starts=-15,
        quantities={"layer5-user": 7},
        paid_by="kestrel-group",
    ),
    Subscription(
        "maple-transit-operator",
        "maple-transit",
        "layer5-team-operator",
        MONTHLY,
        starts=-100,
        quantities={"layer5-user": 5},
        cancels=60,
        cancellation="SPECIFIC_DATE",
    ),
    # Over before this deployment was there.
    Subscription(
        "maple-transit-designer",
        "maple-transit",
        "layer5-team-designer",
        MONTHLY,
        starts=-400,
        quantities={"layer5-user": 2},
        cancels=-180,
        ended=True,
        cancellation="IMMEDIATE",
    ),
)
