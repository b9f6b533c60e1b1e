"""Three published price lists, as facts: each figure is the vendor's own, and each list names where it stood.

No single vendor publishes every shape that a billing system has to hold, so there are three, side by side: Layer5
(seats, packs, add-ons, monthly and annual, two currencies), Dust (seats of two kinds, pay-as-you-go, a plan without a
figure) and Typebot (flat fees, stair-steps by use, and a price per block, which Zuora cannot hold). They were read from
the source of the vendors' price pages, in their public repositories, in November 2026; taxes are not part of them.
"""

from decimal import Decimal

from stigg_zuora.demo.shapes import (
    ANNUALLY,
    CUSTOM,
    FLAT_FEE,
    FREE,
    MONTHLY,
    PER_UNIT,
    USAGE_BASED,
    VOLUME,
    Charge,
    Feature,
    Package,
    PriceList,
    Step,
)

FEATURES = (
    Feature("layer5-user", "User", "user", "users"),
    Feature("layer5-learner-theory", "Learner, theory", "learner", "learners"),
    Feature("layer5-learner-labs", "Learner, labs", "lab learner", "lab learners"),
    Feature("layer5-server", "Managed Meshery Server", "server", "servers"),
    Feature("layer5-collaborator", "Collaborator", "collaborator", "collaborators"),
    Feature("dust-pro-seat", "Pro seat", "Pro seat", "Pro seats"),
    Feature("dust-max-seat", "Max seat", "Max seat", "Max seats"),
    Feature("dust-credit", "Programmatic usage", "credit", "credits", meter="INCREMENTAL"),
    Feature("typebot-chat", "Chat", "chat", "chats", meter="INCREMENTAL"),
    Feature("typebot-extra-chat", "Additional chat", "additional chat", "additional chats", meter="INCREMENTAL"),
)

# Layer5's page is written in dollars and shows euros by this rate of its own (src/utils/currencies.js).
LAYER5_EURO = Decimal("0.86")


def _layer5(dollars: str) -> dict[str, str]:
    return {"USD": dollars, "EUR": f"{Decimal(dollars) * LAYER5_EURO:f}"}


def _layer5_seats(month: str, year: str) -> tuple[Charge, ...]:
    return (
        Charge(PER_UNIT, MONTHLY, _layer5(month), feature="layer5-user"),
        Charge(PER_UNIT, ANNUALLY, _layer5(year), feature="layer5-user"),
    )


# Packs of learners, with the price of one learner in each: dollars per month, dollars per year. Larger ones are asked
# for, and so not sold here.
ACADEMY_PACKS = ((250, "1.08", "10.81"), (500, "0.68", "6.74"), (1000, "0.46", "4.69"), (2500, "0.40", "4.08"))
LARGEST_PACK = 2500


def _academy(period: str, *, feature: str, per_pack: bool) -> Charge:
    """The packs, per learner or as what the page adds up: a pack costs its learners times their price."""
    column = 1 if period == MONTHLY else 2

    def step(pack: tuple[int, str, str], currency: str) -> Step:
        last = None if pack[0] == LARGEST_PACK else pack[0]
        price = _layer5(str(pack[column]))[currency]
        return Step(last, flat=f"{Decimal(price) * pack[0]:f}") if per_pack else Step(last, unit=price)

    tiers = {currency: tuple(step(pack, currency) for pack in ACADEMY_PACKS) for currency in ("USD", "EUR")}
    return Charge(PER_UNIT, period, feature=feature, tiers_mode=VOLUME, tiers=tiers, fewest=1, most=LARGEST_PACK)


LAYER5 = PriceList(
    "layer5",
    "Layer5",
    # Seats: src/sections/Pricing/generatePlans.js at 10bfa9782fc966a94e06bfc67a0492aeeddc2ea0. Add-ons:
    # src/components/Pricing/PricingAddons/pricingData.js at 46df174b82c2bd691c18dee626823a9fa415129b. Euros:
    # src/utils/currencies.js at d27649585aa642e3fed4d5e3c7286da0ba68d88e. All of github.com/layer5io/layer5.
    source="the price page of layer5.io",
    plans=(
        Package("layer5-personal", "Personal", "For one person.", FREE),
        Package("layer5-team-designer", "Team Designer", "Design in teams.", charges=_layer5_seats("16", "164")),
        Package("layer5-team-operator", "Team Operator", "Operate in teams.", charges=_layer5_seats("16", "164")),
        Package(
            "layer5-enterprise",
            "Enterprise",
            "For whole organisations; add-ons are sold with it only.",
            charges=_layer5_seats("44", "449"),
            addons=("layer5-academy-theory", "layer5-academy-labs", "layer5-servers", "layer5-webrtc"),
        ),
    ),
    addons=(
        Package(
            "layer5-academy-theory",
            "Academy, Theoretical Learning",
            "Learners, priced by pack.",
            charges=tuple(
                _academy(period, feature="layer5-learner-theory", per_pack=False) for period in (MONTHLY, ANNUALLY)
            ),
        ),
        Package(
            "layer5-academy-labs",
            "Academy, Practical Learning",
            "Labs for learners, on top of theory, at the same figures.",
            charges=tuple(
                _academy(period, feature="layer5-learner-labs", per_pack=True) for period in (MONTHLY, ANNUALLY)
            ),
        ),
        Package(
            "layer5-servers",
            "Managed Meshery Servers",
            "Servers that Layer5 runs.",
            charges=(
                Charge(PER_UNIT, MONTHLY, _layer5("64"), feature="layer5-server"),
                Charge(PER_UNIT, ANNUALLY, _layer5("653"), feature="layer5-server"),
            ),
        ),
        # Monthly only: the page's two yearly figures for it contradict each other.
        Package(
            "layer5-webrtc",
            "Dedicated WebRTC",
            "Conflict-free collaboration, priced by pack of 1, 100 or 200 collaborators.",
            charges=(
                Charge(
                    PER_UNIT,
                    MONTHLY,
                    feature="layer5-collaborator",
                    tiers_mode=VOLUME,
                    tiers={
                        currency: (
                            Step(1, flat=_layer5("2")[currency]),
                            Step(100, flat=_layer5("150")[currency]),
                            Step(None, flat=_layer5("300")[currency]),
                        )
                        for currency in ("USD", "EUR")
                    },
                    fewest=1,
                    most=200,
                ),
            ),
        ),
    ),
)


def _dust_seats(month: str, year: str, feature: str) -> tuple[Charge, ...]:
    """The page prints the same figure in both currencies, and the yearly price per month: twelve of them are a year."""
    return (
        Charge(PER_UNIT, MONTHLY, {"USD": month, "EUR": month}, feature=feature, fewest=0),
        Charge(
            PER_UNIT,
            ANNUALLY,
            {currency: f"{Decimal(year) * 12:f}" for currency in ("USD", "EUR")},
            feature=feature,
            fewest=0,
        ),
    )


DUST = PriceList(
    "dust",
    "Dust",
    # marketing/pages/home/pricing.tsx at 5dee80d3b4deca7f463b33fe629a24d65949c8b7 of github.com/dust-tt/dust.
    source="https://dust.tt/pricing",
    plans=(
        Package("dust-business-free", "Business, free option", "500 credits, up to 5 users.", FREE),
        Package(
            "dust-business",
            "Business",
            "Pro and Max seats for teams of up to 100 people.",
            charges=(
                *_dust_seats("30", "24", "dust-pro-seat"),
                *_dust_seats("150", "120", "dust-max-seat"),
            ),
        ),
        # Business once more: Stigg sells usage only where every price is monthly. In dollars only, because what a
        # credit costs in euros is not on the page.
        Package(
            "dust-business-usage",
            "Business, with programmatic usage",
            "Pro and Max seats by the month, and credits by use.",
            charges=(
                Charge(PER_UNIT, MONTHLY, {"USD": "30"}, feature="dust-pro-seat", fewest=0),
                Charge(PER_UNIT, MONTHLY, {"USD": "150"}, feature="dust-max-seat", fewest=0),
                Charge(USAGE_BASED, MONTHLY, {"USD": "0.01"}, feature="dust-credit"),
            ),
        ),
        Package("dust-enterprise", "Enterprise", "Talk to sales.", CUSTOM),
    ),
)

# The last chat of a step, and what a month with so many chats costs, whole: dollars and euros alike.
TYPEBOT_CHATS = (
    (10_000, "0"), (15_000, "50"), (20_000, "95"), (30_000, "180"), (40_000, "260"), (50_000, "335"), (60_000, "407"),
    (70_000, "477"), (80_000, "545"), (90_000, "611"), (100_000, "675"), (120_000, "799"), (140_000, "919"),
    (160_000, "1037"), (180_000, "1153"), (200_000, "1267"), (300_000, "1817"), (400_000, "2347"), (500_000, "2857"),
    (600_000, "3357"), (700_000, "3847"), (800_000, "4327"), (900_000, "4797"), (1_000_000, "5257"),
    (1_200_000, "6171"), (1_400_000, "7079"), (1_600_000, "7979"), (1_800_000, "8873"),
)  # fmt: skip
# Beyond the last step a chat costs 0.442 cents.
TYPEBOT_BEYOND = "0.00442"
BOTH = ("USD", "EUR")

TYPEBOT = PriceList(
    "typebot",
    "Typebot",
    # Fees and steps: packages/billing/src/constants.ts at 10750f54d10a0d96c77371a7f244fad94471abc0. Dollars and euros
    # alike: packages/billing/src/helpers/formatPrice.ts at 05cc23efb1cf0a9549a5c73dad2529e48bd7a264. Blocks of 500:
    # apps/landing-page/app/features/pricing/PlanComparisonsTables.tsx at 80116070ec90b9d0e78158a757288cca8bf4c0a4.
    # All of github.com/baptisteArno/typebot.io.
    source="the price page of typebot.com",
    plans=(
        Package("typebot-free", "Free", "200 chats a month.", FREE),
        # Zuora has no price per block of units: this one fails, in words.
        Package(
            "typebot-starter",
            "Starter",
            "2,000 chats a month, and 10 per 500 more.",
            charges=(
                Charge(FLAT_FEE, MONTHLY, dict.fromkeys(BOTH, "39")),
                Charge(USAGE_BASED, MONTHLY, dict.fromkeys(BOTH, "10"), feature="typebot-extra-chat", block_size=500),
            ),
        ),
        Package(
            "typebot-pro",
            "Pro",
            "10,000 chats a month, and more by steps.",
            charges=(
                Charge(FLAT_FEE, MONTHLY, dict.fromkeys(BOTH, "89")),
                Charge(
                    USAGE_BASED,
                    MONTHLY,
                    feature="typebot-chat",
                    tiers_mode=VOLUME,
                    tiers=dict.fromkeys(
                        BOTH,
                        (*(Step(last, flat=price) for last, price in TYPEBOT_CHATS), Step(None, unit=TYPEBOT_BEYOND)),
                    ),
                ),
            ),
        ),
        Package("typebot-enterprise", "Enterprise", "Get a quote.", CUSTOM),
    ),
)

PRICE_LISTS = (LAYER5, DUST, TYPEBOT)
#: Plans that Zuora cannot hold, and what the failure has to say.
REFUSED = {"typebot-starter": "sold in packages of 500"}
