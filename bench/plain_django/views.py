"""The one view: API v2's add, status and balance."""

import hashlib
from decimal import ROUND_CEILING, Decimal

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from bench.plain_django.models import Account, ApiKey, Order, Service, Transfer

STEP = Decimal("0.00001")
CURRENCY = "USD"


class Refused(Exception):
    """What the caller is told."""


@csrf_exempt
def api(request: HttpRequest) -> JsonResponse:
    """Answer one request."""
    try:
        account = find_account(request.POST.get("key", ""))
        action = ACTIONS.get(request.POST.get("action", ""), unknown)
        return JsonResponse(action(request, account))
    except Refused as refused:
        return JsonResponse({"error": str(refused)})


def find_account(key: str) -> Account:
    digest = hashlib.sha256(key.encode()).hexdigest()
    try:
        return ApiKey.objects.select_related("account").get(digest=digest, revoked_at=None).account
    except ApiKey.DoesNotExist:
        raise Refused("Invalid API key") from None


def add(request: HttpRequest, account: Account) -> dict[str, int]:
    try:
        service = Service.objects.get(pk=int(request.POST.get("service", "")), enabled=True)
        quantity = int(request.POST.get("quantity", ""))
    except (Service.DoesNotExist, ValueError):
        raise Refused("Incorrect service ID") from None
    link = request.POST.get("link", "").strip()
    if not link.startswith(("http://", "https://")):
        raise Refused("Incorrect link")
    if not service.minimum <= quantity <= service.maximum:
        raise Refused("Incorrect quantity")
    charge = (service.rate * quantity / 1000).quantize(STEP, ROUND_CEILING)
    with transaction.atomic():
        locked = Account.objects.select_for_update().get(pk=account.pk)
        if locked.balance < charge:
            raise Refused("Not enough funds on balance")
        order = Order.objects.create(
            account=locked, service=service, link=link, quantity=quantity, rate=service.rate, charge=charge
        )
        locked.balance -= charge
        locked.save(update_fields=["balance"])
        Transfer.objects.create(account=locked, order=order, kind="charge", amount=charge, balance_after=locked.balance)
    return {"order": order.pk}


def status(request: HttpRequest, account: Account) -> dict[str, dict[str, str]]:
    asked = [part.strip() for part in request.POST.get("orders", "").split(",")]
    if len(asked) > 100:
        raise Refused("No more than 100 IDs are allowed")
    numbers = [int(part) for part in asked if part.isdecimal()]
    orders = Order.objects.filter(account=account, pk__in=numbers).only(
        "charge", "start_count", "status", "remains", "quantity"
    )
    found = {str(order.pk): render(order) for order in orders}
    return {part: found.get(part, {"error": "Incorrect order ID"}) for part in asked}


def render(order: Order) -> dict[str, str]:
    return {
        "charge": str(order.charge),
        "start_count": str(order.start_count or 0),
        "status": order.status,
        "remains": str(order.quantity if order.remains is None else order.remains),
        "currency": CURRENCY,
    }


def balance(request: HttpRequest, account: Account) -> dict[str, str]:
    del request
    return {"balance": str(account.balance), "currency": CURRENCY}


def unknown(*_: object) -> dict[str, str]:
    raise Refused("Incorrect request")


ACTIONS = {"add": add, "status": status, "balance": balance}
